// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import Testing

extension FaultTests {
    /// `guestlog keep` with many consoles: it loses none, leaks no descriptors, and reports what it cannot keep.
    @Suite struct KeeperTests {
        private static let consoles = 200
        /// How often the daemon is killed; `GUESTLOG_RESTARTS` sets the number.
        private static let restarts = Program.variable("GUESTLOG_RESTARTS").flatMap { Int($0) } ?? 20

        /// The manager that the daemon of the keeper with that process id would notify.
        private func manager(of keeper: pid_t) throws -> ServiceManager {
            let child = FileText.procText("/proc/\(keeper)/task/\(keeper)/children").split(separator: " ").first
            let environment = FileText.procText("/proc/\(try #require(child))/environ").split(separator: "\0")
            let name = "NOTIFY_SOCKET="
            let address = try #require(environment.first { $0.hasPrefix(name) }).dropFirst(name.count)
            return ServiceManager(address: String(address))
        }

        private func openFiles(of process: pid_t) -> Int { FileText.names(in: "/proc/\(process)/fd").count }

        @Test(
            "after repeated kills under 200 consoles no byte is uncounted, and the number of the keeper's descriptors is constant"
        )
        func restarts() throws {
            let site = try Site(isServed: false)
            // A soft limit below what it needs: it raises the limit itself.
            try site.start(under: ["prlimit", "--nofile=256:"] + site.keep)
            let guests = try (0..<Self.consoles).map { try site.chardev("vm\($0)", rate: 20) }
            let keeper = try #require(site.daemon).process
            func allAreKept() -> Bool {
                guests.allSatisfy(\.isConnected) && openFiles(of: keeper) >= Self.consoles
            }
            try #require(eventually(within: 60) { allAreKept() })
            #expect(eventually { site.guestlog("status").text.contains("\(Self.consoles) connected of") })
            var open = openFiles(of: keeper)
            #expect(
                eventually {
                    defer { open = openFiles(of: keeper) }
                    return open == openFiles(of: keeper)
                }
            )
            for round in 0..<Self.restarts {
                let before = site.servings
                site.killServing()
                try #require(site.awaitServing(after: before))
                // It serves, so it has taken over; a socket pair of its start may still be closing.
                let isSame = eventually { openFiles(of: keeper) == open }
                try #require(isSame, "round \(round): \(openFiles(of: keeper)) descriptors, \(open) before")
            }
            // Each start commits what earlier ones left, however short their lives were.
            #expect(FileText.names(in: site.runtime + "/inflight").count < 100)
            for (number, guest) in guests.enumerated() {
                let record = guest.stopTalking()
                #expect(record.ends.isEmpty, "vm\(number) was cut off")
            }
            for (number, guest) in guests.enumerated() {
                let audit = try site.audit(guest, "vm\(number)")
                try #require(audit.isExact && audit.faults.isEmpty, "vm\(number): \(audit)")
            }
        }

        @Test("while no daemon can start, the keeper drains, and the next daemon counts exactly what was discarded")
        func drains() throws {
            let site = try Site(isServed: false)
            let program = site.path + "/guestlog"
            symlink(Program.guestlog, program)
            try site.start(program, under: site.keep)
            let guest = try site.chardev("web", rate: 5000)
            #expect(try eventually { try site.stored("web").bytes.count > 20_000 })
            site.killServing(replacing: program) {
                // More than the kernel buffers.
                site.awaitOutput(1_000_000, of: guest)
            }
            site.awaitOutput(20_000, of: guest)
            try site.expectAccounted(guest, "web")
            #expect(guest.soFar.ends.isEmpty, "the guest was cut off")
            let gaps = try site.stored("web").gaps
            #expect(gaps.map(\.reason) == [.daemonAway], "\(gaps)")
            #expect(gaps.first?.bytes ?? 0 > 500_000)
        }

        /// Sets the limit of open files of the process `keeper`.
        private func limit(_ keeper: pid_t, to limit: Int, in site: Site) {
            let command = ["prlimit", "--pid", String(keeper), "--nofile=\(limit):"]
            #expect(ChildProcess(command, name: "prlimit", in: site.path).wait() == 0)
        }

        @Test("a keeper that cannot start the daemon for a while drains, and starts it when it can")
        func startsLater() throws {
            let site = try Site(isServed: false)
            let highest = 1000
            try site.start(under: ["prlimit", "--nofile=\(highest):\(highest)"] + site.keep)
            // More than the keeper can copy for the daemon below.
            let guests = try (0..<40).map { try site.chardev("vm\($0)", rate: 20) }
            let web = try site.chardev("web", rate: 5000)
            let daemon = try #require(site.daemon)
            #expect(eventually { site.guestlog("status").text.contains("41 connected of") })
            // Stored descriptors have numbers from half of the limit on.
            let numbers = { FileText.names(in: "/proc/\(daemon.process)/fd").compactMap { Int($0) } }
            #expect(eventually { numbers().count { $0 >= highest / 2 } == 41 })
            // The lowest free number after the daemon's end.
            let free = try #require(
                numbers().first {
                    ProcFile.target(ofLink: "/proc/\(daemon.process)/fd/\($0)")?.contains("pidfd") == true
                }
            )
            let before = site.servings
            limit(daemon.process, to: free, in: site)
            site.killServing()
            #expect(eventually { daemon.standardError.contains("cannot start the daemon") })
            #expect(eventually { daemon.standardError.contains("cannot read the stored descriptors") })
            limit(daemon.process, to: free + 1, in: site)
            // More than the kernel buffers.
            site.awaitOutput(1_000_000, of: web)
            #expect(!daemon.hasEnded && site.servings == before)
            limit(daemon.process, to: highest, in: site)
            try #require(site.awaitServing(after: before))
            site.awaitOutput(20_000, of: web)
            try site.expectAccounted(web, "web")
            for (number, guest) in guests.enumerated() {
                #expect(guest.stopTalking().ends.isEmpty, "vm\(number) was cut off")
            }
            #expect(web.soFar.ends.isEmpty)
        }

        @Test("files removed from the runtime folder do not part the keeper and its daemon")
        func emptiedRuntime() throws {
            let site = try Site(isServed: false)
            try site.start(under: site.keep)
            let guest = try site.chardev("web", rate: 5000)
            #expect(try eventually { try site.stored("web").bytes.count > 20_000 })
            for name in FileText.names(in: site.runtime) where name.hasSuffix(".sock") {
                unlink(site.runtime + "/" + name)
            }
            let before = site.servings
            site.killServing()
            try #require(site.awaitServing(after: before))
            site.awaitOutput(20_000, of: guest)
            try site.expectAccounted(guest, "web")
            #expect(guest.soFar.ends.isEmpty, "the guest was cut off")
        }

        @Test("a stored descriptor that the next daemon cannot assign is closed")
        func unknownName() throws {
            let site = try Site(isServed: false)
            try site.start(under: site.keep)
            let keeper = try #require(site.daemon)
            let manager = try manager(of: keeper.process)
            for name in ["stray", "c1"] {
                let pair = try Descriptor.socketPair()
                #expect(manager.notify("FDSTORE=1\nFDNAME=\(name)", descriptors: [pair.second.raw]))
                let other = pair.takeFirst()
                let before = site.servings
                site.killServing()
                try #require(site.awaitServing(after: before))
                var byte: UInt8 = 0
                #expect(eventually { recv(other.raw, &byte, 1, Int32(MSG_DONTWAIT)) == 0 }, "\(name)")
            }
        }

        @Test("descriptors beyond a keeper's capacity are refused by name, and the others are passed on")
        func capacity() throws {
            let site = try Site(isServed: false)
            // Half of the numbers, less 16, are for stored descriptors.
            let limit = 128
            let capacity = limit / 2 - 16
            // A substitute for a daemon prints what it got.
            let daemon = ["sh", "-c", "echo $LISTEN_FDS $LISTEN_FDNAMES; exec sleep 600"]
            let keeper = ChildProcess(
                ["prlimit", "--nofile=\(limit):\(limit)"] + site.keep + daemon,
                name: "keeper",
                in: site.path
            )
            #expect(eventually { keeper.text == "0\n" }, "\(keeper.standardError)")
            let manager = try manager(of: keeper.process)
            let names = (0..<(capacity + 2)).map { "console-vm\($0)" }
            for name in names {
                let pair = try Descriptor.socketPair()
                #expect(manager.notify("FDSTORE=1\nFDNAME=\(name)", descriptors: [pair.first.raw]))
            }
            let refused = {
                keeper.standardError.split(separator: "\n").filter { $0.contains("cannot store a descriptor") }
            }
            #expect(eventually { refused().count == 2 }, "\(keeper.standardError)")
            #expect(zip(refused(), names.suffix(2)).allSatisfy { $0.contains($1) }, "\(keeper.standardError)")
            let child = FileText.procText("/proc/\(keeper.process)/task/\(keeper.process)/children")
            kill(try #require(child.split(separator: " ").first.flatMap { pid_t($0) }), SIGKILL)
            let kept = "\(capacity) " + names.prefix(capacity).joined(separator: ":")
            #expect(eventually { keeper.text == "0\n" + kept + "\n" }, "\(keeper.text)")
            // It ends with its keeper, as a daemon does.
            keeper.stop()
        }

        @Test("descriptors whose names cannot be passed to a daemon are refused, and the others are passed on")
        func namesTooLong() throws {
            let site = try Site(isServed: false)
            let daemon = ["sh", "-c", "echo $LISTEN_FDS; exec sleep 600"]
            let keeper = ChildProcess(site.keep + daemon, name: "keeper", in: site.path)
            #expect(eventually { keeper.text == "0\n" }, "\(keeper.standardError)")
            let manager = try manager(of: keeper.process)
            let padding = String(repeating: "n", count: 1000)
            let names = (100..<300).map { padding + String($0) }
            let fitting = (PassedDescriptors.variableLimit - "LISTEN_FDNAMES=".utf8.count) / (names[0].utf8.count + 1)
            for name in names.prefix(fitting + 3) {
                let pair = try Descriptor.socketPair()
                #expect(manager.notify("FDSTORE=1\nFDNAME=\(name)", descriptors: [pair.first.raw]))
            }
            let refused = {
                keeper.standardError.split(separator: "\n").filter { $0.contains("cannot store a descriptor") }
            }
            #expect(eventually { refused().count == 3 }, "\(keeper.standardError)")
            #expect(zip(refused(), names.dropFirst(fitting)).allSatisfy { $0.contains($1) })
            let child = FileText.procText("/proc/\(keeper.process)/task/\(keeper.process)/children")
            kill(try #require(child.split(separator: " ").first.flatMap { pid_t($0) }), SIGKILL)
            #expect(eventually { keeper.text == "0\n\(fitting)\n" }, "\(keeper.text) \(keeper.standardError)")
            keeper.stop()
        }
    }
}
