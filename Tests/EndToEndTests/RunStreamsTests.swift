// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import Testing

/// The standard streams of `guestlog run`: job control, the end of the input, and output that is not read.
@Suite(.serialized) struct RunStreamsTests {
    /// The command that runs `script` as the VM `web`.
    private func line(_ script: String, on site: Site, name: String? = "web") -> String {
        let words = [Program.guestlog, "run"] + (name.map { ["--name", $0] } ?? []) + site.options(.store)
        return words.joined(separator: " ") + " -- \(script)"
    }

    private func shell(_ line: String, on site: Site) -> ChildProcess {
        ChildProcess(["sh", "-c", line], name: "shell", in: site.path)
    }

    @Test(
        "the end of piped input reaches a command that reads lines, once for each read",
        arguments: [
            ("printf 'hello\\n' |", "cat", "hello\r\nhello\r\n"), ("printf hello |", "cat", "hellohello"),
            ("", "sh </dev/null", nil), ("", "cat <&-", ""),
            ("printf 'cat\\n' |", "sh", nil), ("", "sh -c 'sleep 0.3; read word; echo over' </dev/null", "over\r\n"),
        ]
    )
    func inputEnds(input: String, command: String, output: String?) throws {
        let site = try Site(isServed: false)
        let child = shell(input + line(command, on: site), on: site)
        let status = child.wait()
        #expect(status == 0 || command.contains("read"), "\(child.standardError)")
        if let output {
            #expect(child.text == output)
        }
    }

    @Test("a command that does not read lines gets no character in place of the end of the input")
    func rawInput() throws {
        let site = try Site(isServed: false)
        let script = "sh -c 'stty raw -echo; echo ready; timeout 1 od -An -tx1; echo over'"
        #expect(shell(line(script, on: site) + " </dev/null", on: site).wait() == 0)
        let text = try String(decoding: site.stored("web").bytes, as: UTF8.self)
        #expect(text == "ready\nover\n")
    }

    @Test("standard output that takes nothing keeps neither signals from the command nor its end from being noticed")
    func stuckOutput() throws {
        let site = try Site(isServed: false)
        mkfifo(site.path + "/out", 0o600)
        // Within the rate limit, so that the last words are stored.
        let script = "sh -c 'trap \"echo caught; exit 7\" TERM; while :; do seq 1000; sleep 0.002; done'"
        let reader = ChildProcess(["sh", "-c", "exec sleep 600 <\(site.path)/out"], name: "reader", in: site.path)
        let run = shell("exec " + line(script, on: site) + " >\(site.path)/out", on: site)
        // More than the pipe and the buffer for this process hold.
        #expect(try eventually { try site.stored("web").bytes.count > 4 << 20 })
        #expect(run.stop() == 7)
        #expect(run.standardError.contains("only in the log"), "\(run.standardError)")
        #expect(try String(decoding: site.stored("web").bytes.suffix(8), as: UTF8.self) == "caught\r\n")
        reader.stop()
    }

    @Test("piped input is passed on whole although standard output is read late")
    func lateOutput() throws {
        let site = try Site(isServed: false)
        mkfifo(site.path + "/out", 0o600)
        let input = (0..<40_000).map { "word \($0)\n" }.joined()
        FileText.write(input, to: site.path + "/in")
        let script = "sh -c 'stty raw -echo; seq 400000; head -c \(input.utf8.count) >\(site.path)/got'"
        let late = ChildProcess(["sh", "-c", "exec sleep 600 <\(site.path)/out"], name: "late", in: site.path)
        let run = shell("exec " + line(script, on: site) + " <\(site.path)/in >\(site.path)/out", on: site)
        // All of its output: more than the hub holds for this process.
        #expect(try eventually { try site.stored("web").bytes.count > 2_600_000 })
        let reader = ChildProcess(["cat", site.path + "/out"], name: "cat", in: site.path)
        #expect(run.wait() == 0, "\(run.standardError)")
        late.stop()
        reader.stop()
        #expect(FileText.text(site.path + "/got") == input)
    }

    @Test("standard output that is closed does not end the capture", arguments: [">&-", "2>&1 | head -n 1"])
    func closedOutput(redirection: String) throws {
        let site = try Site(isServed: false)
        let child = shell(line("sh -c 'seq 100000; exit 3'", on: site) + " \(redirection); wait", on: site)
        child.wait()
        #expect(try site.stored("web").bytes.suffix(8).elementsEqual("100000\r\n".utf8))
        #expect(redirection != ">&-" || child.standardError.contains("standard output: Bad file descriptor"))
    }

    @Test("a process that keeps the command's terminal open, and writes to it, is not waited for")
    func leftover() throws {
        let site = try Site(isServed: false)
        let script = "sh -c '(trap \"\" HUP; while echo tick; do sleep 0.01; done) & sleep 0.1; exit 3'"
        let run = shell(line(script, on: site) + " </dev/null", on: site)
        #expect(run.wait() == 3)
        #expect(run.text.contains("tick"))
        #expect(run.standardError == "")
    }

    @Test("a command that does not read its input is not waited for, however much there is")
    func unreadInput() throws {
        let site = try Site(isServed: false)
        let run = shell("yes | " + line("sh -c 'stty raw -echo; sleep 1; echo over; exit 4'", on: site), on: site)
        #expect(run.wait() == 4)
        #expect(try site.sees("over", from: "web"))
    }

    @Test("in the background the terminal is left alone; in the foreground it is taken, and given back")
    func jobControl() throws {
        let site = try Site(isServed: false)
        let session = TerminalSession(["env", "PS1=ready> ", "bash", "--norc", "-i"])
        session.type("\(line("sh -c 'echo from the background; read word; echo said $word'", on: site)) & jobs\n")
        #expect(session.shows("Running"))
        #expect(try site.sees("from the background", from: "web"))
        session.type("echo $((6 * 7))\n")
        #expect(session.shows("42"))
        session.type("fg\n")
        #expect(session.shows("guestlog run"))
        // The shell's terminal echoes until it is in raw mode.
        session.type("hello\n")
        #expect(session.shows("said hello"))
        #expect(session.shows("ready> "))
        session.type("exit 5\n")
        #expect(session.wait() == 5)
    }

    @Test("the command's terminal has the size of this one, and follows it")
    func windowSize() throws {
        let site = try Site(isServed: false)
        let script = "trap 'stty size; exit 0' WINCH; stty size; while :; do sleep 0.01; done"
        let session = TerminalSession(
            [Program.guestlog, "run", "--name", "web"] + site.options(.store) + ["--", "sh", "-c", script],
            rows: 33,
            columns: 101
        )
        #expect(session.shows("33 101"))
        session.resize(rows: 44, columns: 122)
        #expect(session.shows("44 122"))
        #expect(session.wait() == 0)
    }

    @Test("two unnamed runs at one time are two VMs; a later one continues the first one's log")
    func unnamed() throws {
        let site = try Site(isServed: false)
        let first = shell("exec " + line("sh -c 'echo first; sleep 600'", on: site, name: nil), on: site)
        #expect(try site.sees("first", from: "sh"))
        let words = ["-c", "exec " + line("sh -c 'echo second'", on: site, name: nil)]
        let second = ChildProcess(["sh"] + words, name: "second", in: site.path)
        #expect(second.wait() == 0)
        let name = "sh-\(second.process)"
        #expect(second.standardError.contains("this VM is \(name)"))
        #expect(try site.sees("second", from: name))
        first.stop()
        #expect(shell(line("sh -c 'echo third'", on: site, name: nil), on: site).wait() == 0)
        #expect(try site.sees("third", from: "sh"))
    }
}
