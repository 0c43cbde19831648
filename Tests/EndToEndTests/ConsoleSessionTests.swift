// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import Testing

/// `guestlog console` on a terminal, with a guest's end of the console and no guest.
@Suite(.serialized) struct ConsoleSessionTests {
    private let site: Site
    private let guest: Chardev

    init() throws {
        site = try Site()
        guest = try Chardev(site.path + "/vms/web.sock")
        try guest.accept()
    }

    private func join(_ options: String...) -> TerminalSession {
        TerminalSession([Program.guestlog, "console", "web"] + options + site.options(.socket))
    }

    @Test("on joining, the end of the log is shown once, up to an open prompt, and then what the guest prints")
    func earlierOutput() throws {
        guest.emit("\u{1b}[31mone\u{1b}[0m\r\ntwo\r\nweb login: ")
        #expect(try site.sees("login: ", from: "web"))
        let session = join()
        #expect(session.shows("connected to web; ^] leaves"))
        #expect(session.shows("the end of its log:"))
        #expect(session.shows("one\r\ntwo\r\nweb login: "))
        session.type("root\r")
        #expect(guest.hears("root\r"))
        guest.emit("root\r\nPassword: ")
        #expect(session.shows("root\r\nPassword: "))
        session.type("\u{1d}.")
        #expect(session.wait() == 0)
        #expect(session.text.matches(of: #/login: /#).count == 1, "\(session.text)")
    }

    @Test(
        "a watcher that writes to a file gets the end of the log too, with an open prompt; piped input gets its answer"
    )
    func earlierOutputInFile() throws {
        guest.emit("\u{1b}[31mone\u{1b}[0m\r\nweb login: ")
        #expect(try site.sees("login: ", from: "web"))
        let options = site.options(.socket)
        let watcher = ChildProcess([Program.guestlog, "console", "web", "--watch"] + options, name: "w", in: site.path)
        #expect(eventually { watcher.text == "one\nweb login: \n" }, "\(watcher.text)")
        let typist = ChildProcess([Program.guestlog, "console", "web"] + options, name: "t", in: site.path)
        typist.send("root\r")
        #expect(guest.hears("root\r"))
        guest.emit("root\r\nPassword: ")
        #expect(eventually { watcher.text == "one\nweb login: \nroot\r\nPassword: " }, "\(watcher.text)")
        #expect(eventually { typist.text == "root\r\nPassword: " }, "\(typist.text)")
        typist.closeInput()
        #expect(typist.wait() == 0)
        #expect(watcher.standardError == "-- the end of its log:\n")
    }

    @Test("a watcher ends with the reader of its output, also while the guest is silent")
    func readerEnds() throws {
        guest.emit("one\r\ntwo\r\n")
        #expect(try site.sees("two", from: "web"))
        let words = [Program.guestlog, "console", "web", "--watch"] + site.options(.socket)
        let line = words.joined(separator: " ") + " </dev/null | head -1"
        let pipeline = ChildProcess(["sh", "-c", line], name: "pipeline", in: site.path)
        #expect(pipeline.wait() == 0)
        #expect(pipeline.text == "one\n")
    }

    @Test("keys after the escape key are commands; the escape key alone leaves")
    func commands() throws {
        let session = join()
        #expect(session.shows("connected to web"))
        session.type("\u{1d}?")
        #expect(session.shows("keys after ^]:"))
        session.type("\u{1d}w")
        #expect(session.shows("on this console: ") && session.shows("(writes)"))
        session.type("\u{1d}b")
        #expect(session.shows("carries no BREAK"))
        session.type("\u{1d}]a\u{1d}\u{1d}b\u{1d}sh")
        #expect(session.shows("sent ^O h"))
        #expect(guest.hears("\u{0f}h"))
        #expect(guest.typed == Array("\u{1d}a\u{1d}b\u{0f}h".utf8))
        session.type("\u{1d}")
        #expect(session.wait() == 0)
        #expect(session.text.contains("-- left web"))
    }

    @Test("another escape key leaves, and ^] is the guest's", arguments: ["^A", "ctrl-a"])
    func otherEscape(key: String) {
        let session = join("--escape", key)
        #expect(session.shows("connected to web; ^A leaves"))
        session.type("\u{1d}.x")
        #expect(guest.hears("\u{1d}.x"))
        session.type("\u{01}.")
        #expect(session.wait() == 0)
    }

    @Test("without an escape key all keys are the guest's; a key that cannot be one is wrong use")
    func noEscape() {
        let session = join("--escape", "none")
        #expect(session.shows("no key leaves"))
        session.type("\u{1d}\u{1d}.")
        #expect(guest.hears("\u{1d}\u{1d}."))
        for key in ["^[", "x", "^M"] {
            let refused = join("--escape", key)
            #expect(refused.wait() == 2)
            #expect(refused.text.contains("must be a control character"))
        }
    }

    @Test("a signal restores the terminal before it ends the session", arguments: [SIGTERM, SIGHUP])
    func signalled(by signal: Int32) throws {
        let words = [Program.guestlog, "console", "web"] + site.options(.socket)
        let script = "sh -c 'echo process $$.; exec \(words.joined(separator: " "))'; echo status $?; stty -a"
        let session = TerminalSession(["sh", "-c", script])
        #expect(session.shows("connected to web"))
        let process = try #require(session.text.firstMatch(of: #/process (\d+)\./#).flatMap { pid_t($0.1) })
        guest.emit("\u{1b}[31mred")
        #expect(session.shows("red"))
        #expect(kill(process, signal) == 0)
        // The colours are reset too.
        #expect(session.shows("\u{1b}[0m"))
        #expect(session.shows("status \(128 + signal)"))
        #expect(session.shows("isig icanon") && !session.text.contains("-icanon"), "\(session.text)")
        #expect(session.wait() == 0)
    }

    @Test("a terminal's answer to a guest's query does not reach the shell after leaving")
    func lateAnswer() {
        let session = TerminalSession(["bash", "--norc", "-i"])
        let words = [Program.guestlog, "console", "web"] + site.options(.socket)
        session.type(words.joined(separator: " ") + "\n")
        #expect(session.shows("connected to web"))
        guest.emit("\u{1b}[6n")
        #expect(session.shows("\u{1b}[6n"))
        session.type("\u{1d}.")
        session.type("\u{1b}[24;80R")
        #expect(session.shows("left web"))
        session.type("echo $((6 * 7))\n")
        #expect(session.shows("42"))
        #expect(!session.text.contains("24;80R"), "\(session.text)")
        session.type("exit\n")
        #expect(session.wait() == 0)
    }
}
