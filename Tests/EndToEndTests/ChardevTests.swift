// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import TestSupport
import Testing

extension EndToEnd {
    /// All kinds of QEMU's character devices.
    @Suite struct ChardevTests {
        private static let words = "glines=200 glogin=0 gpoweroff=1"

        /// Checks that all output of the guest is stored, as one boot.
        private func expectStored(_ guest: Guest, _ site: Site, _ vm: String = "web") throws {
            #expect(try eventually { try site.stored(vm).bytes.firstRange(of: Array("Power down".utf8)) != nil })
            #expect(try eventually { difference(try site.stored(vm).bytes, fromRecord: guest.printed) == nil })
            let stored = try site.stored(vm)
            #expect(difference(stored.bytes, fromRecord: guest.printed) == nil)
            #expect(stored.bytes.firstRange(of: Array("guestlog-line 200 ".utf8)) != nil)
            #expect(stored.gaps.isEmpty)
            #expect(stored.boots.filter { $0.event.rawValue < BootEvent.closed.rawValue }.map(\.event) == [.powerOn])
        }

        @Test("a socket that QEMU listens on is discovered in its folder")
        func server() throws {
            let site = try Site()
            let guest = Guest("web", words: Self.words, chardev: .server(site.path + "/vms/web.sock"), in: site.path)
            try expectStored(guest, site)
            #expect(guest.hasSwitchedOff())
        }

        @Test("a socket that QEMU connects to accepts it")
        func client() throws {
            let site = try Site()
            let path = site.path + "/web.sock"
            #expect(site.guestlog("add", "web", "listen:" + path).status == 0)
            let guest = Guest("web", words: Self.words, chardev: .client(path), in: site.path)
            try expectStored(guest, site)
            #expect(guest.hasSwitchedOff())
        }

        @Test("a pseudo-terminal that QEMU created is read")
        func terminal() throws {
            let site = try Site()
            // QEMU drops unread output: the guest is resumed after the connection.
            let guest = Guest("web", words: Self.words, chardev: .terminal, isPaused: true, in: site.path)
            #expect(eventually { guest.terminalPath != nil })
            #expect(site.guestlog("add", "web", "pty:" + (guest.terminalPath ?? "")).status == 0)
            #expect(eventually { site.guestlog("status").text.contains("1 connected of 1") })
            guest.resume()
            // The kernel discards unread output of a pseudo-terminal when its master is closed.
            try expectStored(guest, site)
            guest.stop()
            #expect(try eventually { try site.stored("web").boots.last?.event == .closed })
        }

        @Test("a named pipe that QEMU writes to is read, and has no writer")
        func pipe() throws {
            let site = try Site()
            let path = site.path + "/web"
            mkfifo(path + ".in", 0o600)
            #expect(site.guestlog("add", "web", "fifo:" + path + ".out").status == 0)
            #expect(eventually { access(path + ".out", F_OK) == 0 })
            #expect(site.guestlog("status").text.contains("0 connected of 1"))
            let guest = Guest("web", words: "glogin=1", chardev: .pipe(path), in: site.path)
            #expect(try site.sees("login: ", from: "web"))
            #expect(site.guestlog("status").text.contains("1 connected of 1"))
            // A pipe has one direction: input would return as output of the guest.
            let console = TerminalSession([Program.guestlog, "console", "web"] + site.options(.socket))
            #expect(console.shows("connected to web"))
            #expect(console.shows("input cannot be sent through a named pipe"))
            console.type("secret\n\u{1d}")
            #expect(console.wait() == 0)
            #expect(try eventually { difference(try site.stored("web").bytes, fromRecord: guest.printed) == nil })
            let stored = try site.stored("web").bytes
            #expect(stored.firstRange(of: Array("secret".utf8)) == nil)
        }

        @Test("a VMM's standard streams are captured by run, without a daemon")
        func inherited() throws {
            let site = try Site(isServed: false)
            mkdir(site.path + "/store", 0o755)
            let console = "stdio,id=console0,signal=off,logfile=\(site.path)/x.said"
            let command = Guest.command("x", console: console, words: Self.words)
            let words = [Program.guestlog, "run", "--name", "x"] + site.options(.store) + ["--"]
            let run = ChildProcess(words + command, name: "run", in: site.path)
            #expect(run.wait() == 0, "\(run.standardError)")
            // QEMU's standard output is a terminal, which puts CR before LF.
            let printed = FileText.bytes(site.path + "/x.said").flatMap { $0 == 10 ? [13, 10] : [$0] }
            let stored = try site.stored("x")
            #expect(difference(stored.bytes, fromRecord: printed) == nil)
            // The terminal of run is a watcher.
            #expect(difference(run.output, stored.bytes) == nil)
            #expect(stored.bytes.firstRange(of: Array("guestlog-line 200 ".utf8)) != nil)
            #expect(stored.boots.map(\.event) == [.powerOn, .powerDown, .closed])
            // Nothing but the log is left.
            #expect(FileText.names(in: site.runtime).isEmpty)
        }
    }
}
