// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import TestTraits
import Testing

@testable import SystemIO

@Suite(.blocking) struct ThreadLeaseTests {
    private let folder = TemporaryFolder()
    private var path: String { folder.path + "/lease" }

    @Test("a lease is free when the thread that held it has ended without releasing it")
    func ended() throws {
        let lease = try ThreadLease(creating: path)
        let other = try ThreadLease(opening: path)
        let (held, mayEnd) = (OneShot(), OneShot())
        let thread = try WorkerThread(name: "holder") {
            other.acquire()
            held.signal()
            mayEnd.wait()
        }
        held.wait()
        #expect(!lease.isFree)
        mayEnd.signal()
        thread.join()
        lease.awaitFree()
        #expect(lease.isFree)
    }

    @Test("a released lease can be acquired again")
    func givenBack() throws {
        let lease = try ThreadLease(creating: path)
        lease.acquire()
        lease.release()
        #expect(lease.isFree)
        lease.acquire()
        lease.release()
    }

    @Test("a full file system is an error, not a signal", .enabled(if: SmallDisk.isPossible, "needs root to mount"))
    func full() throws {
        let disk = SmallDisk(megabytes: 1)
        disk.fill(leaving: 0)
        #expect(throws: SystemError.self) { try ThreadLease(creating: disk.folder.path + "/lease") }
    }
}
