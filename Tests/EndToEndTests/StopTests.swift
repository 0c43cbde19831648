// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import Testing

extension FaultTests {
    /// The daemon is stopped or replaced while a disk hangs or is slow, and by a program that cannot run.
    @Suite struct StopTests {
        private static let rate = 20_000

        /// The state of the store's disk.
        enum Disk: CaseIterable {
            case hangs, isSlow
        }

        @Test(
            "stopped or replaced while a disk hangs or is slow, the daemon loses nothing uncounted",
            .enabled(if: FuseMount.isPossible, Comment(rawValue: FuseMount.requirement)),
            arguments: [SIGTERM, SIGUSR2],
            Disk.allCases
        )
        func besideSlowDisk(signal: Int32, disk: Disk) throws {
            let mount = FuseMount()
            defer { mount.end() }
            let site = try Site(store: mount.folder.path + "/store")
            let guest = try site.chardev("web", rate: Self.rate)
            #expect(try eventually { try site.stored("web").bytes.count > 200_000 })
            switch disk {
            case .hangs: mount.hang()
            case .isSlow: mount.beginThrottle()
            }
            let before = site.servings
            site.daemon?.signal(signal)
            _ = eventually(within: 3) { site.daemon?.hasEnded ?? true }
            mount.resume()
            if signal == SIGTERM {
                #expect(site.daemon?.wait() == 0)
                try site.start()
            } else {
                site.awaitServing(after: before)
            }
            #expect(eventually { guest.isConnected })
            site.awaitOutput(100_000, of: guest)
            try site.expectAccounted(guest, "web")
        }

        /// The replacement of the program's file.
        enum Replacement: CaseIterable {
            case text, cutShort, failing
        }

        @Test(
            "a program that cannot run does not take over: the running one continues",
            arguments: Replacement.allCases
        )
        func replacedByGarbage(replacement: Replacement) throws {
            let site = try Site(isServed: false)
            let program = site.path + "/guestlog"
            let copy = ChildProcess(["cp", Program.guestlog, program], name: "cp", in: site.path)
            #expect(copy.wait() == 0)
            try site.start(program)
            let process = try #require(site.daemon).process
            let guest = try site.chardev("web", rate: 2000)
            site.awaitOutput(20_000, of: guest)
            let new = site.path + "/new"
            switch replacement {
            case .text: FileText.write("this is no program\n", to: new)
            case .failing: FileText.write("#!/bin/sh\nexit 1\n", to: new)
            case .cutShort:
                let cut = ChildProcess(["sh", "-c", "head -c 100000 guestlog > new"], name: "cut", in: site.path)
                #expect(cut.wait() == 0)
            }
            chmod(new, 0o755)
            rename(new, program)
            let servings = site.servings
            site.daemon?.signal(SIGUSR2)
            #expect(eventually { site.daemon?.standardError.contains("cannot take over") ?? true })
            site.awaitOutput(20_000, of: guest)
            #expect(site.servings == servings)
            #expect(site.daemon?.hasEnded == false && site.daemon?.process == process)
            try site.expectAccounted(guest, "web")
            #expect(try site.stored("web").gaps.isEmpty)
            #expect(guest.soFar.ends.isEmpty, "the guest was cut off")
        }

        /// How often a signal is sent at a random moment; `GUESTLOG_TRIES` sets the number.
        private static let tries = Program.variable("GUESTLOG_TRIES").flatMap { Int($0) } ?? 4

        @Test("a signal that arrives while the daemon is replaced does not end it", arguments: [SIGUSR2, SIGHUP])
        func signalWhileReplaced(signal: Int32) throws {
            let site = try Site()
            let guest = try site.chardev("web", rate: 2000)
            site.awaitOutput(20_000, of: guest)
            for _ in 0..<Self.tries {
                let before = site.servings
                site.daemon?.signal(SIGUSR2)
                usleep(.random(in: 0..<50_000))
                site.daemon?.signal(signal)
                site.awaitServing(after: before)
                try #require(site.daemon?.hasEnded == false, "ended with \(site.daemon?.wait() ?? 0)")
            }
            try site.expectAccounted(guest, "web")
            #expect(try site.stored("web").gaps.isEmpty)
            #expect(guest.soFar.ends.isEmpty, "the guest was cut off")
        }

        @Test("a daemon that is told to stop while it is replaced stops")
        func stoppedWhileReplaced() throws {
            let site = try Site(isServed: false)
            let guest = try site.chardev("web", rate: 2000)
            for _ in 0..<Self.tries {
                try site.start()
                #expect(eventually { guest.isConnected })
                let daemon = try #require(site.daemon)
                daemon.signal(SIGUSR2)
                usleep(.random(in: 0..<50_000))
                daemon.signal(SIGTERM)
                try #require(daemon.wait() == 0)
            }
            try site.start()
            #expect(eventually { guest.isConnected })
            site.awaitOutput(20_000, of: guest)
            try site.expectAccounted(guest, "web")
        }

        @Test(
            "killed while a disk hangs, the daemon leaves its consoles to the next one, which drains them before it stores",
            .enabled(if: FuseMount.isPossible, Comment(rawValue: FuseMount.requirement)),
            arguments: [true, false]
        )
        func killedBesideHangingDisk(isTalking: Bool) throws {
            let mount = FuseMount()
            defer { mount.end() }
            let site = try Site(store: mount.folder.path + "/store", isServed: false)
            try site.start(under: site.keep)
            let guest = try site.chardev("web", rate: 5000)
            #expect(try eventually { try site.stored("web").bytes.count > 100_000 })
            if !isTalking {
                // No thread of the daemon then hangs in the disk: it ends at once, and the next one finds the disk
                // hanging.
                guest.setRate(0)
                #expect(try eventually { try guest.isDrained && site.stored("web").bytes.count == guest.bytes })
            }
            let before = site.servings
            mount.hang()
            if isTalking {
                // The writer hangs in it now.
                site.awaitOutput(100_000, of: guest)
            }
            site.killServing()
            guest.setRate(5000)
            // More than the kernel buffers: a process drains it.
            site.awaitOutput(500_000, of: guest)
            mount.resume()
            site.awaitServing(after: before)
            site.awaitOutput(100_000, of: guest)
            try site.expectAccounted(guest, "web")
            #expect(guest.soFar.ends.isEmpty, "the guest was cut off")
        }
    }
}
