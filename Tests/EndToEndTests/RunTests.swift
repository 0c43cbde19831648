// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import TestSupport
import Testing

/// `guestlog run`: one command under capture, without a daemon, and without a guest.
@Suite(.serialized) struct RunTests {
    private func run(_ script: String, on site: Site, name: String = "run") -> ChildProcess {
        site.begin(["run", "--name", "web"] + site.options(.store) + ["--", "sh", "-c", script], name: name)
    }

    /// The files of runs in the runtime folder.
    private func left(_ site: Site) -> [String] {
        FileText.names(in: site.runtime).filter { $0.hasPrefix("run-") }
    }

    @Test("a script that names no interpreter is the shell's")
    func script() throws {
        let site = try Site(isServed: false)
        FileText.write("echo from $0: $1\n", to: site.path + "/script")
        chmod(site.path + "/script", 0o755)
        let words = [Program.guestlog, "run"] + site.options(.store) + ["--", site.path + "/script", "word"]
        let child = ChildProcess(words, name: "run", in: site.path)
        #expect(child.wait() == 0, "\(child.standardError)")
        #expect(child.text == "from \(site.path)/script: word\r\n")
    }

    @Test("a missing command exits 127 as in a shell, and leaves nothing")
    func noCommand() throws {
        let site = try Site(isServed: false)
        let child = site.begin(["run"] + site.options(.store) + ["--", "no-such-command"], name: "run")
        #expect(child.wait() == 127)
        #expect(child.standardError.contains("no-such-command"))
        #expect(left(site) == [])
        #expect(try site.store.vms() == [])
    }

    @Test(
        "an invalid VM name is wrong use, and the command is not started",
        arguments: ["", "a/b", "..", "a\\nb", "bad\\377"]
    )
    func badNames(name: String) throws {
        let site = try Site(isServed: false)
        // The shell makes the bytes; arguments that are not UTF-8 cannot be given otherwise.
        let words = "exec \(Program.guestlog) run --name \"$(printf '\(name)')\" --config \(site.configuration)"
        let child = ChildProcess(["/bin/sh", "-c", words + " -- sh -c 'echo started'"], name: "run", in: site.path)
        #expect(child.wait() == 2)
        #expect(child.standardError.hasPrefix("guestlog: a VM's name must be "), "\(child.standardError)")
        #expect(child.text == "")
        #expect(!FileText.names(in: site.path).contains("store"))
    }

    @Test("signals are passed on; all output up to the command's end is stored", arguments: [SIGTERM, SIGHUP])
    func signals(number: Int32) throws {
        let site = try Site(isServed: false)
        let child = run("trap 'echo caught; exit 7' TERM HUP; echo ready; while :; do sleep 0.01; done", on: site)
        #expect(try site.sees("ready", from: "web"))
        #expect(child.stop(number) == 7)
        #expect(try site.sees("caught", from: "web"))
        #expect(left(site) == [])
    }

    @Test("SIGUSR1 and SIGUSR2 reach a command that handles them, and end neither another one nor the run")
    func userSignals() throws {
        let site = try Site(isServed: false)
        let handling = run("trap 'echo caught; exit 7' USR1 USR2; echo ready; while :; do sleep 0.01; done", on: site)
        #expect(try site.sees("ready", from: "web"))
        #expect(handling.stop(SIGUSR2) == 7)
        let other = run("trap 'exit 4' TERM; echo started; while :; do sleep 0.01; done", on: site, name: "other")
        #expect(try site.sees("started", from: "web"))
        other.signal(SIGUSR1)
        other.signal(SIGUSR2)
        #expect(other.stop() == 4)
    }

    @Test("without a terminal the command's has the usual size")
    func size() throws {
        let site = try Site(isServed: false)
        let child = run("stty size", on: site)
        #expect(child.wait() == 0)
        #expect(child.text == "24 80\r\n")
    }

    @Test("a killed run's in-flight data are committed by the next one")
    func adoptsRings() throws {
        let site = try Site(isServed: false)
        let child = run("echo first; sleep 600", on: site)
        #expect(try site.sees("first", from: "web"))
        child.stop(SIGKILL)
        #expect(left(site).count == 1)
        let next = run("echo second", on: site, name: "next")
        #expect(next.wait() == 0, "\(next.standardError)")
        #expect(left(site) == [])
        #expect(try String(decoding: site.stored("web").bytes, as: UTF8.self) == "first\r\nsecond\r\n")
    }

    @Test(
        "all output of a command is on standard output, although it ends at once",
        arguments: ["echo x", "sh -c 'echo x; sleep 0.05'", "sh -c 'sleep 0.2 >/dev/null & echo x'"]
    )
    func saysEverything(command: String) throws {
        let site = try Site(isServed: false)
        let count = command.contains("&") ? 10 : 100
        let run = "\(Program.guestlog) run --name web --config \(site.configuration) -- \(command)"
        let loop = "for i in $(seq \(count)); do \(run) </dev/null || exit 1; done"
        let shell = ChildProcess(["sh", "-c", loop], name: "loop", in: site.path)
        #expect(shell.wait(within: 240) == 0, "\(shell.standardError)")
        #expect(shell.text == String(repeating: "x\r\n", count: count))
        #expect(try site.stored("web").bytes.count == 3 * count)
    }

    @Test("a command's output is complete on standard output, up to the buffer, and omissions are reported")
    func slowReader() throws {
        let site = try Site(isServed: false)
        let run = "\(Program.guestlog) run --name web --config \(site.configuration) -- seq 1 1000000"
        let shell = ChildProcess(["sh", "-c", "\(run) | (sleep 1; cat)"], name: "slow", in: site.path)
        #expect(shell.wait() == 0, "\(shell.standardError)")
        let lines = shell.text.replacing("\r\n", with: "\n").split(separator: "\n")
        #expect(lines.last == "1000000" || shell.standardError.contains("guestlog: cut off: "))
    }

    @Test("a name with another writer is refused before the command is started, and that process is named")
    func refusesSecondWriter() throws {
        let site = try Site(isServed: false)
        let first = run("echo ready; sleep 600", on: site)
        #expect(try site.sees("ready", from: "web"))
        let second = run("touch \(site.path)/started", on: site, name: "second")
        #expect(second.wait() == 3)
        #expect(second.standardError.contains("process \(first.process) writes the log of web"))
        #expect(!FileText.names(in: site.path).contains("started"))
        first.stop()
        #expect(run("touch \(site.path)/started", on: site, name: "third").wait() == 0)
        #expect(FileText.names(in: site.path).contains("started"))
    }

    @Test("a terminal slower than the guest is told what it missed, and continues")
    func slowTerminal() throws {
        let site = try Site(isServed: false)
        // The terminal is not read meanwhile.
        let flood = "yes 0123456789 | head -c 4000000; echo over; read word; echo said $word; exit 5"
        let session = TerminalSession(
            [Program.guestlog, "run", "--name", "web", "--config", site.configuration, "--", "sh", "-c", flood]
        )
        #expect(try site.sees("over", from: "web"))
        #expect(session.shows("cut off: "))
        session.type("hello\n")
        #expect(session.shows("said hello"))
        #expect(session.wait() == 5)
        #expect(try site.sees("said hello", from: "web"))
    }

    @Test("raw guest bytes do not reach a terminal without --force", arguments: ["cri", "export", "raw"])
    func verbatimOnTerminal(format: String) throws {
        let site = try Site(isServed: false)
        #expect(run("echo hello", on: site).wait() == 0)
        let options = ["--config", site.configuration]
        let refused = TerminalSession([Program.guestlog, "logs", "web", "-o", format] + options)
        #expect(refused.shows("--force"))
        #expect(refused.wait() == 2)
        let exported = TerminalSession([Program.guestlog, "export", format, "web"] + options)
        #expect(exported.shows("write them to a file"))
        #expect(exported.wait() == 2)
        let forced = TerminalSession([Program.guestlog, "logs", "web", "-o", format, "--force"] + options)
        #expect(forced.shows("hello"))
        #expect(forced.wait() == 0)
    }

    @Test("a bare -b is the latest boot, in any position, and -b -1 the one before")
    func bareBoot() throws {
        let site = try Site(isServed: false)
        for word in ["first", "second"] {
            #expect(run("echo \(word)", on: site, name: word).wait() == 0)
        }
        for words in [["web", "-b"], ["-b", "web"], ["-b", "0", "web"], ["web", "--boot", "-o", "text"]] {
            #expect(site.guestlog(["logs"] + words).text.contains("second"), "\(words)")
        }
        for words in [["web", "-b", "-1"], ["--boot", "-1", "web"], ["web", "--boot=-1"], ["web", "-b", "1"]] {
            #expect(site.guestlog(["logs"] + words).text.contains("first"), "\(words)")
        }
    }

    @Test("times are local or in UTC; a store that is named is the one that answers")
    func timesAndStores() throws {
        let site = try Site()
        let other = try Site(isServed: false)
        #expect(run("echo hello", on: other).wait() == 0)
        let listed = site.guestlog("vms", "--store", other.path + "/store")
        #expect(listed.text.contains("web") && listed.text.contains("stored"))
        #expect(site.guestlog("vms").text == "")
        #expect(site.guestlog("vms", "--store", "/nowhere").status == 3)
        func began(_ words: [String], _ zone: String) throws -> Substring {
            let command = [Program.guestlog, "boots", "web"] + words + other.options(.store)
            let child = ChildProcess(command, name: "boots" + zone, in: other.path, environment: ["TZ": zone])
            #expect(child.wait() == 0)
            return try #require(child.text.split(separator: "\n").last?.split(separator: " ")[3])
        }
        // UTC is marked.
        #expect(try began([], "UTC0") + "Z" == began(["--utc"], "XXX-5:30"))
        #expect(try began([], "UTC0") != began([], "XXX-5:30"))
    }

    @Test("the environment takes precedence over the file, and an option over both")
    func environment() throws {
        let site = try Site(isServed: false)
        func shown(_ words: [String], _ environment: [String: String]) -> String {
            let command = [Program.guestlog, "config", "show", "--config", site.configuration] + words
            let child = ChildProcess(command, name: "show-\(words.count)", in: site.path, environment: environment)
            child.wait()
            return child.text
        }
        let named = ["GUESTLOG_STORE": "/named/store", "GUESTLOG_SOCKET": "/named/socket"]
        let text = shown([], named)
        #expect(text.contains(" /named/store\n") && text.contains(" /named/socket\n"))
        #expect(shown(["--store", "/option"], named).contains(" /option\n"))
        // The folders that systemd creates for a service are its defaults; the file takes precedence.
        let service = ["STATE_DIRECTORY": "/state:/more", "RUNTIME_DIRECTORY": "/runtime"]
        #expect(shown([], service).contains(" \(site.path)/store\n"))
        let defaults = shown(["--config", "/dev/null"], service)
        #expect(defaults.contains(" /state\n") && defaults.contains(" /runtime/guestlog.sock\n"))
    }
}
