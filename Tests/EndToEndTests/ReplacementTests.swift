// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import TestSupport
import Testing

/// Clients of a daemon that is replaced or restarted.
@Suite(.serialized) struct ReplacementTests {
    @Test("a console session stays in raw mode while the daemon is replaced, joins again, and continues")
    func consoleStays() throws {
        let site = try Site()
        let guest = try Chardev(site.path + "/vms/web.sock")
        try guest.accept()
        let session = TerminalSession([Program.guestlog, "console", "web"] + site.options(.socket))
        #expect(session.shows("connected to web"))
        guest.emit("hello\r\n")
        #expect(session.shows("hello"))
        for round in 1...3 {
            site.replace()
            #expect(session.shows("guestlog is being replaced or restarted; reconnecting"))
            #expect(session.shows("connected again"))
            session.type("typed \(round)\r")
            #expect(guest.hears("typed \(round)\r"))
            guest.emit("said \(round)\r\n")
            #expect(session.shows("said \(round)"))
        }
        session.type("\u{1d}")
        #expect(session.wait() == 0)
        #expect(session.shows("left web"))
    }

    @Test("input without a daemon is dropped, and ^] leaves")
    func keysWithoutDaemon() throws {
        let site = try Site()
        let guest = try Chardev(site.path + "/vms/web.sock")
        try guest.accept()
        let session = TerminalSession([Program.guestlog, "console", "web"] + site.options(.socket))
        #expect(session.shows("connected to web"))
        site.stop()
        #expect(session.shows("reconnecting"))
        session.type("secret\r")
        try site.start()
        try guest.accept()
        #expect(session.shows("connected again"))
        session.type("open\r")
        #expect(guest.hears("open\r"))
        #expect(guest.typed == Array("open\r".utf8))
        site.stop()
        #expect(session.shows("reconnecting"))
        session.type("\u{1d}")
        #expect(session.wait() == 0)
    }

    @Test("a console that is removed ends the session with the daemon's message")
    func droppedConsole() throws {
        let site = try Site()
        let guest = try Chardev(site.path + "/vms/web.sock")
        try guest.accept()
        let session = TerminalSession([Program.guestlog, "console", "web"] + site.options(.socket))
        #expect(session.shows("connected to web"))
        #expect(site.guestlog("drop", "web").status == 0)
        #expect(session.shows("no console of a VM named web is captured"))
        #expect(session.wait() == 2)
    }

    @Test(
        "followers through the daemon resume by cursor when it is replaced or restarted: no line is missing or duplicated"
    )
    func followersContinue() throws {
        let site = try Site()
        let guest = try Chardev(site.path + "/vms/web.sock")
        try guest.accept()
        // They end at once where no VM of that name was captured yet.
        #expect(eventually { site.guestlog("logs", "web").status == 0 })
        let followers = [["-o", "raw"], ["-o", "raw", "-n", "1000"], ["-t"], ["-o", "json"]].enumerated().map {
            number,
            words in
            site.begin(["logs", "web", "-f"] + words, by: .socket, name: "follower-\(number)")
        }
        let wait = site.begin(["wait", "web", "the end", "--timeout", "60s"], by: .socket, name: "wait")
        var printed = 0
        func sendLine() {
            for _ in 0..<50 {
                printed += 1
                guest.emit("line \(printed)\n")
            }
        }
        func haveAll() -> Bool {
            eventually {
                followers.allSatisfy { $0.text.contains("line \(printed)\n") || $0.text.contains("line \(printed)\"") }
            }
        }
        #expect(eventually { site.guestlog("status").text.contains("1 connected") })
        sendLine()
        #expect(haveAll())
        site.replace()
        sendLine()
        #expect(haveAll())
        site.stop()
        try site.start()
        try guest.accept()
        sendLine()
        guest.emit("the end\n")
        #expect(haveAll())
        #expect(wait.wait() == 0, "\(wait.standardError)")
        for follower in followers {
            #expect(eventually { follower.text.contains("the end") })
            follower.stop(SIGINT)
            #expect(follower.standardError.contains("reconnecting"))
            let numbers = follower.text.matches(of: #/line (\d+)/#).map { Int($0.1) }
            #expect(numbers == Array(1...printed), "\(follower.text.suffix(300))")
        }
    }

    @Test("a daemon that is missing from the beginning is not waited for")
    func absentDaemon() throws {
        let site = try Site(isServed: false)
        for words in [["logs", "web", "-f"], ["wait", "web", "x"], ["console", "web"]] {
            let child = site.begin(words, by: .socket, name: words[0])
            #expect(child.wait(within: 20) == 3)
            #expect(child.standardError.contains("is guestlog serve running?"))
        }
    }
}
