// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import TestSupport
import Testing

extension FaultTests {
    /// The runtime folder is small, or full: there is little memory for in-flight data, or none.
    @Suite(.enabled(if: SmallDisk.isPossible, "mounting a small file system needs root"))
    struct SmallRuntimeTests {
        @Test("on a full runtime folder the daemon serves and stores, and status reports the problem")
        func full() throws {
            let memory = SmallDisk(megabytes: 1)
            memory.fill(leaving: 0)
            let site = try Site(runtime: memory.folder.path)
            let guest = try site.chardev("web", rate: 1000)
            #expect(try eventually { try site.stored("web").bytes.count > 50_000 })
            #expect(site.guestlog("status").text.contains("problem: in-flight: no room in"))
            try site.expectAccounted(guest, "web")
            #expect(try site.stored("web").gaps.isEmpty)
            site.stop()
        }

        @Test(
            "what a killed daemon had in memory only, because the folder was full, is marked as lost",
            arguments: [true, false]
        )
        func killedWhileFull(isFull: Bool) throws {
            let memory = SmallDisk(megabytes: 48)
            let site = try Site(runtime: memory.folder.path, isServed: false)
            try site.start(under: site.keep)
            let guest = try site.chardev("web", rate: 2000)
            #expect(try eventually { try site.stored("web").bytes.count > 20_000 })
            if isFull {
                memory.fill(leaving: 0)
            }
            // The rings of the first killed daemon keep their memory until the second has committed them.
            for _ in 0..<2 {
                let before = site.servings
                site.killServing()
                site.awaitServing(after: before)
                site.awaitOutput(20_000, of: guest)
            }
            memory.clear()
            site.awaitOutput(20_000, of: guest)
            let audit = try site.audit(guest, "web", isExact: !isFull)
            #expect(audit.faults.isEmpty && (audit.isExact || isFull), "\(audit)")
            #expect(guest.soFar.ends.isEmpty, "the guest was cut off")
            let gaps = try site.stored("web").gaps.filter { $0.reason == .daemonAway && $0.bytes == nil }
            #expect(gaps.count == (isFull ? 1 : 0), "\(gaps)")
            site.stop()
        }

        @Test("bytes that a keeper discarded are counted, even when the runtime folder is full")
        func drainedWhileFull() throws {
            let memory = SmallDisk(megabytes: 48)
            let site = try Site(runtime: memory.folder.path, isServed: false)
            let program = site.path + "/guestlog"
            symlink(Program.guestlog, program)
            try site.start(program, under: site.keep)
            let guest = try site.chardev("web", rate: 5000)
            #expect(try eventually { try site.stored("web").bytes.count > 20_000 })
            memory.fill(leaving: 0)
            site.killServing(replacing: program) {
                // More than the kernel buffers.
                site.awaitOutput(1_000_000, of: guest)
            }
            memory.clear()
            site.awaitOutput(20_000, of: guest)
            try site.expectAccounted(guest, "web")
            #expect(guest.soFar.ends.isEmpty, "the guest was cut off")
            let gaps = try site.stored("web").gaps
            #expect(gaps.contains { $0.reason == .daemonAway && $0.bytes ?? 0 > 500_000 }, "\(gaps)")
            site.stop()
        }

        @Test(
            "with 3 MiB for in-flight data, a store that hangs for a while costs counted bytes, and is written again afterwards",
            .enabled(if: FuseMount.isPossible, Comment(rawValue: FuseMount.requirement))
        )
        func small() throws {
            let memory = SmallDisk(megabytes: 3)
            let mount = FuseMount()
            defer { mount.end() }
            let site = try Site(store: mount.folder.path + "/store", runtime: memory.folder.path)
            let guest = try site.chardev("web", rate: 20_000)
            #expect(try eventually { try site.stored("web").bytes.count > 100_000 })
            mount.hang()
            // More than the folder holds.
            site.awaitOutput(5 << 20, of: guest)
            mount.resume()
            let stored = try site.stored("web").bytes.count
            #expect(try eventually { try site.stored("web").bytes.count > stored + (1 << 20) })
            try site.expectAccounted(guest, "web")
            #expect(try !site.stored("web").gaps.isEmpty)
            site.stop()
        }

        /// More than the slots of one page, on each shard.
        private static let consoles = 24

        @Test(
            "consoles that connect while the runtime folder is full are drained and counted, and stored when there is room"
        )
        func consolesWhileFull() throws {
            let memory = SmallDisk(megabytes: 8)
            let site = try Site(runtime: memory.folder.path)
            let first = try site.chardev("vm0", rate: 100)
            #expect(try eventually { try site.stored("vm0").bytes.count > 1000 })
            memory.fill(leaving: 0)
            // The first few find allocated memory, because slots share pages.
            let guests = try (1...Self.consoles).map { try site.chardev("vm\($0)", rate: 100) }
            #expect(eventually { guests.allSatisfy(\.isConnected) })
            #expect(eventually { site.guestlog("status").text.contains("not stored: no room") })
            for guest in guests {
                site.awaitOutput(2000, of: guest)
            }
            memory.clear()
            #expect(eventually { !site.guestlog("status").text.contains("not stored: no room") })
            for guest in [first] + guests {
                site.awaitOutput(2000, of: guest)
            }
            guests.forEach { $0.stopTalking() }
            for (number, guest) in ([first] + guests).enumerated() {
                try site.expectAccounted(guest, "vm\(number)")
            }
            let noRoom = try (1...Self.consoles).filter { number in
                try site.stored("vm\(number)").gaps.contains { $0.reason == .noRoom && $0.bytes ?? 0 > 0 }
            }
            #expect(!noRoom.isEmpty)
            site.stop()
        }
    }
}
