// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import TestSupport
import Testing

extension FaultTests {
    /// The store cannot be opened, and not because its disk is full or fails: a file has its place.
    @Suite struct UnusableStoreTests {
        /// What a log daemon cannot use.
        enum Obstacle: CaseIterable {
            case store, socket
        }

        @Test(
            "a log daemon that cannot begin leaves nothing in the runtime folder, however often it is started",
            arguments: Obstacle.allCases
        )
        func leavesNoRings(obstacle: Obstacle) throws {
            let folder = TemporaryFolder()
            let memory = TemporaryFolder(parent: "/dev/shm")
            let file = folder.path + "/file"
            FileText.write("", to: file)
            let store = obstacle == .store ? file : folder.path + "/store"
            let socket = (obstacle == .socket ? file : memory.path) + "/log-sock"
            let configuration = folder.path + "/guestlog.yaml"
            FileText.write("store: \(store)\nruntime: \(memory.path)\n", to: configuration)
            for number in 1...3 {
                let words = ["virtlogd", "--socket", socket, "--pid-file", folder.path + "/pid"]
                let daemon = ChildProcess(
                    [Program.guestlog] + words,
                    name: "daemon-\(number)",
                    in: folder.path,
                    environment: ["GUESTLOG_CONFIG": configuration]
                )
                #expect(daemon.wait() == 3)
                #expect(daemon.standardError.contains(file), "\(daemon.standardError)")
                let rings = FileText.names(in: memory.path + "/virtlogd/inflight").filter { $0.hasSuffix(".ring") }
                #expect(rings == [])
            }
        }

        @Test("a daemon that was handed consoles drains them without a store, and stores them when it can be opened")
        func drains() throws {
            let site = try Site(isServed: false)
            let program = site.path + "/guestlog"
            symlink(Program.guestlog, program)
            try site.start(program, under: site.keep)
            let guest = try site.chardev("web", rate: 5000)
            #expect(try eventually { try site.stored("web").bytes.count > 20_000 })
            let aside = site.storePath + ".aside"
            site.killServing(replacing: program) {
                #expect(rename(site.storePath, aside) == 0)
                FileText.write("", to: site.storePath)
            }
            let problem = "problem: store: not opened"
            #expect(eventually { site.guestlog("status", by: .socket).text.contains(problem) })
            // More than the kernel buffers.
            site.awaitOutput(500_000, of: guest)
            unlink(site.storePath)
            #expect(rename(aside, site.storePath) == 0)
            #expect(eventually { !site.guestlog("status", by: .socket).text.contains(problem) })
            try site.expectAccounted(guest, "web")
            #expect(guest.soFar.ends.isEmpty, "the guest was cut off")
        }
    }
}
