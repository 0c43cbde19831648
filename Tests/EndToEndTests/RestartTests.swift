// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import Testing

extension EndToEnd {
    /// The daemon is replaced, stopped and killed while a guest prints numbered lines.
    @Suite struct RestartTests {
        private static let lines = 20_000
        private static let words = "glines=\(lines) glogin=0 gpoweroff=1"
        /// The lines of a guest that must not end before the second of two restarts, which do not hold it up.
        private static let manyLines = 40_000
        /// The bytes of such a line, its end included.
        private static let width = 80
        /// Lines into which the kernel may print.
        private static let interruptions = 5

        /// The numbers of the whole lines in `bytes`, in order.
        private func numbers(in bytes: [UInt8]) -> [Int] {
            bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
                guard line.count == Self.width - 1, line.starts(with: "guestlog-line ".utf8) else {
                    return nil
                }
                return String(decoding: line, as: UTF8.self).split(separator: " ").dropFirst().first.flatMap { Int($0) }
            }
        }

        /// Waits until `count` more bytes of `vm` are stored.
        private func awaitBytes(_ count: Int, _ site: Site) throws {
            let before = try site.stored("web").bytes.count
            #expect(try eventually { try site.stored("web").bytes.count >= before + count })
        }

        private func boots(_ site: Site) throws -> [BootEvent] {
            try site.stored("web").boots.map(\.event).filter { $0.rawValue < BootEvent.closed.rawValue }
        }

        @Test("after five replacements of the daemon under a guest that prints, no line is missing or duplicated")
        func replaces() throws {
            let site = try Site(plainFiles: true)
            let guest = Guest("web", words: Self.words, chardev: .server(site.path + "/vms/web.sock"), in: site.path)
            #expect(try site.sees("guestlog-line 1 ", from: "web"))
            for _ in 0..<5 {
                site.replace()
                try awaitBytes(40_000, site)
            }
            #expect(!guest.qemu.hasEnded, "the guest ended before the daemon")
            #expect(guest.hasSwitchedOff())
            #expect(try eventually { difference(try site.stored("web").bytes, fromRecord: guest.printed) == nil })
            let stored = try site.stored("web")
            // The kernel prints into a line now and then; the record above has that too.
            let found = numbers(in: stored.bytes)
            #expect(zip(found, found.dropFirst()).allSatisfy { $0 < $1 }, "a line is duplicated or out of order")
            #expect(Self.lines - found.count <= Self.interruptions)
            #expect(stored.gaps.isEmpty)
            #expect(try boots(site) == [.powerOn])
            func plain() -> [UInt8] {
                FileText.bytes(site.path + "/plain/web.log.0") + FileText.bytes(site.path + "/plain/web.log")
            }
            #expect(eventually { plain().suffix(100).elementsEqual(stored.bytes.suffix(100)) })
            #expect(difference(plain(), Array(stored.bytes.suffix(plain().count))) == nil)
        }

        @Test("the daemon is replaced by the program that was renamed over its own, and continues when there is none")
        func replacesByNewProgram() throws {
            func inode(_ path: String) -> UInt64 {
                var status = stat()
                return stat(path, &status) == 0 ? UInt64(status.st_ino) : 0
            }
            let site = try Site(isServed: false)
            let program = site.path + "/guestlog"
            for name in ["/guestlog", "/new"] {
                let copy = ChildProcess(["cp", Program.guestlog, site.path + name], name: "cp", in: site.path)
                #expect(copy.wait() == 0)
            }
            try site.start(program)
            let process = "/proc/\(try #require(site.daemon).process)"
            let new = inode(site.path + "/new")
            rename(site.path + "/new", program)
            #expect(inode(process + "/exe") != new)
            site.replace()
            #expect(inode(process + "/exe") == new)
            unlink(program)
            let daemon = try #require(site.daemon)
            daemon.signal(SIGUSR2)
            #expect(
                eventually { daemon.standardError.contains("the running program continues") },
                "\(daemon.standardError)"
            )
            #expect(inode(process + "/exe") == new)
            #expect(site.guestlog("status").status == 0)
        }

        @Test("a socket that the configuration names since is served after SIGUSR2, and the former one too")
        func movesSocket() throws {
            let site = try Site()
            let former = site.socket
            let moved = site.path + "/moved.sock"
            FileText.write(FileText.text(site.configuration) + "socket: \(moved)\n", to: site.configuration)
            for _ in 1...2 {
                site.replace()
                for socket in [former, moved] {
                    #expect(site.guestlog("status", "--socket", socket).status == 0, "\(socket)")
                }
            }
        }

        @Test(
            "SIGHUP adds consoles, reports settings that require a restart, and changes nothing for a file with an error"
        )
        func reloads() throws {
            let site = try Site(consoles: { "consoles: [{ connect: '\($0)/one.sock', name: one }]" })
            let paths = """
                store: \(site.path)/store
                runtime: \(site.runtime)

                """
            func reload(_ text: String, says words: String) throws {
                FileText.write(paths + text, to: site.configuration)
                let daemon = try #require(site.daemon)
                daemon.signal(SIGHUP)
                #expect(eventually { daemon.standardError.contains(words) }, "\(daemon.standardError)")
            }
            let consoles = "consoles: [{ path: '\(site.path)/vms/{name}.sock' }]"
            try reload("consoles: [{ connect: '/x', nam: x }]", says: "did you mean name?")
            try reload(consoles + "\nretention: { total: 1GiB }", says: "retention.total has changed")
            let guest = try UnixSocket.listen(at: site.path + "/vms/two.sock")
            var vmm: Int32 = -1
            let isAccepted = eventually {
                vmm = accept(guest.raw, nil, nil)
                return vmm >= 0
            }
            defer { close(vmm) }
            #expect(isAccepted)
            #expect(eventually { site.guestlog("status").text.contains("1 connected of 2") })
            try reload("log-level: error", says: "configuration reloaded")
            let printed = try #require(site.daemon).standardError
            // It continues with the old settings, and logs errors only.
            #expect(site.guestlog("drop", "one").status == 0)
            site.daemon?.signal(SIGHUP)
            #expect(site.guestlog("status").text.contains("1 connected of 1"))
            #expect(site.daemon?.standardError == printed)
            _ = guest.raw
        }

        @Test("a daemon that is stopped or killed and restarted duplicates no line and records no boot")
        func restarts() throws {
            let site = try Site()
            let guest = Guest(
                "web",
                words: "glines=\(Self.manyLines) glogin=0 gpoweroff=1",
                chardev: .server(site.path + "/vms/web.sock"),
                in: site.path
            )
            #expect(try site.sees("guestlog-line 1 ", from: "web"))
            for signal in [SIGTERM, SIGKILL] {
                site.stop(signal)
                try site.start()
                try awaitBytes(40_000, site)
            }
            #expect(guest.hasSwitchedOff())
            #expect(try site.sees("Power down", from: "web"))
            // QEMU drops a socket console's output without a client, so lines may be missing; nothing else.
            let found = numbers(in: try site.stored("web").bytes)
            #expect(zip(found, found.dropFirst()).allSatisfy { $0 < $1 }, "a line is duplicated or out of order")
            #expect(found.last == Self.manyLines)
            let stored = try site.stored("web")
            #expect(stored.gaps.count { $0.reason == .daemonAway } == 2, "\(stored.gaps)")
            #expect(try boots(site) == [.powerOn])
        }

        @Test("with a pipe, which buffers output meanwhile, neither a stop nor a kill loses anything")
        func losesNothing() throws {
            let pipe = { (site: String) in
                "consoles: [{ fifo: \(site)/web.out, name: web }]"
            }
            let site = try Site(consoles: pipe)
            mkfifo(site.path + "/web.in", 0o600)
            #expect(eventually { access(site.path + "/web.out", F_OK) == 0 })
            let guest = Guest("web", words: Self.words, chardev: .pipe(site.path + "/web"), in: site.path)
            #expect(try site.sees("guestlog-line 1 ", from: "web"))
            site.stop()
            try site.start()
            try awaitBytes(40_000, site)
            for _ in 0..<2 {
                site.stop(SIGKILL)
                try site.start()
                try awaitBytes(40_000, site)
            }
            #expect(guest.hasSwitchedOff())
            #expect(try site.sees("Power down", from: "web"))
            #expect(try eventually { difference(try site.stored("web").bytes, fromRecord: guest.printed) == nil })
            #expect(difference(try site.stored("web").bytes, fromRecord: guest.printed) == nil)
            #expect(try boots(site) == [.powerOn])
        }
    }
}
