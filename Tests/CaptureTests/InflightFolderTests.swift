// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Capture

/// Ownership of in-flight rings.
@Suite(.blocking) struct InflightFolderTests {
    private let folder = TemporaryFolder()

    private func service(_ store: String, abandoned: [String] = []) throws -> CaptureService {
        var options = CaptureService.Options(store: folder.path + "/" + store, inflight: folder.path + "/inflight")
        options.shards = 1
        options.abandoned = abandoned
        options.isExclusive = true
        return try CaptureService(options, diagnostics: Diagnostics(threshold: .error, sink: { _, _ in }))
    }

    /// A ring as a killed process leaves it: with a line for the VM `web` of `store`.
    private func leaveRing(in inflight: String, of store: String) throws {
        let own = try InflightFolder(inflight)
        let path = inflight + "/\(own.takeAbandoned(hostBoot: ProcFile.bootID).next)-0.ring"
        let ring = try InflightRing(
            path: path,
            capacity: 1 << 20,
            hostBoot: ProcFile.bootID,
            store: folder.path + "/" + store
        )
        try ring.setKey(try #require(StreamKey(name: "web").encoded), of: 0)
        let room = try #require(ring.reserve())
        room.copyBytes(from: "of \(store)\n".utf8)
        ring.publish(5 + store.utf8.count - 1, kind: .data, slot: 0, time: 1_700_000_000_000_000)
    }

    private func text(_ store: String) throws -> String {
        let stream = StreamID(vm: "web", stream: .console0)
        return String(
            decoding: try StoredText(of: stream, in: Store(root: folder.path + "/" + store)).bytes,
            as: UTF8.self
        )
    }

    @Test("an entry behind a damaged one is reported as lost")
    func unreachable() throws {
        mkdir(folder.path + "/inflight", 0o700)
        let path = folder.path + "/inflight/1-0.ring"
        let ring = try InflightRing(path: path, capacity: 1 << 20, hostBoot: ProcFile.bootID, store: folder.path)
        try ring.setKey(try #require(StreamKey(name: "web").encoded), of: 0)
        try ring.leave("first\n", slot: 0)
        #expect(!ring.isDamaged)
        let first = try #require(ring.entry(at: ring.tail))
        first.base.storeBytes(of: UInt32(InflightRing.maximumPayload + 1), as: UInt32.self)
        try ring.leave("second\n", slot: 0)
        #expect(ring.isDamaged && ring.entry(at: ring.tail) == nil)
        #expect(try InflightFolder(folder.path + "/inflight").takeAbandoned(hostBoot: ProcFile.bootID).hasLost)
    }

    @Test("losses that no ring records are reported by the next process, unless recorded since", arguments: [0, 1, 2])
    func unrecorded(recorded: Int) throws {
        let path = folder.path + "/inflight"
        do {
            let own = try InflightFolder(path)
            (0..<2).forEach { _ in own.noteUnrecorded(1) }
            (0..<recorded).forEach { _ in own.noteUnrecorded(-1) }
        }
        #expect(try InflightFolder(path).takeAbandoned(hostBoot: ProcFile.bootID).hasLost == (recorded < 2))
        #expect(try !InflightFolder(path).takeAbandoned(hostBoot: ProcFile.bootID).hasLost)
    }

    @Test("a ring with the largest number is recovered, and the next ring has another number")
    func largestNumber() throws {
        try leaveRing(in: folder.path + "/inflight", of: "a")
        #expect(rename(folder.path + "/inflight/1-0.ring", folder.path + "/inflight/\(Int.max)-0.ring") == 0)
        try leaveRing(in: folder.path + "/inflight", of: "a")
        let left = try InflightFolder(folder.path + "/inflight").takeAbandoned(hostBoot: ProcFile.bootID)
        #expect(left.rings.count == 2 && left.next == 2 && !left.hasLost)
    }

    @Test("one process uses a folder of rings at a time; the error for another names it")
    func oneProcess() throws {
        let first = try service("a")
        #expect {
            _ = try service("b")
        } throws: { error in
            let error = error as? SystemError
            return error?.code == EWOULDBLOCK && "\(error!)".contains("process \(getpid())")
        }
        withExtendedLifetime(first) {}
        let names = try LinuxFileSystem().names(in: folder.path + "/inflight")
        #expect(names.filter { $0.hasSuffix(".ring") }.count == 1, "the refused process left no ring")
    }

    @Test("one daemon uses a store at a time")
    func oneDaemon() throws {
        let first = try service("a")
        try first.start()
        try first.awaitStore()
        var options = CaptureService.Options(store: folder.path + "/a", inflight: folder.path + "/other")
        options.isExclusive = true
        let second = try CaptureService(options, diagnostics: Diagnostics(threshold: .error, sink: { _, _ in }))
        try second.start()
        #expect(throws: SystemError.self) { try second.awaitStore() }
        second.stop()
        first.stop()
        let third = try service("a")
        try third.start()
        try third.awaitStore()
        third.stop()
    }

    @Test("rings of a killed process are committed to their own store, and to no other")
    func ownStore() throws {
        try leaveRing(in: folder.path + "/inflight", of: "a")
        let other = try service("b")
        try other.start()
        try other.awaitStore()
        other.stop()
        #expect(try text("b").isEmpty)
        let own = try service("a")
        try own.start()
        try own.awaitStore()
        own.stop()
        #expect(try text("a") == "of a\n")
        #expect(access(folder.path + "/inflight", F_OK) != 0, "no ring is left")
    }

    @Test("rings of another killed process are committed to the same store, and those of a running one are not")
    func abandoned() throws {
        let (dead, living) = (folder.path + "/run-1/inflight", folder.path + "/run-2/inflight")
        try leaveRing(in: dead, of: "a")
        try leaveRing(in: living, of: "a")
        let process = try InflightFolder(living)
        let own = try service("a", abandoned: [dead, living])
        try own.start()
        try own.awaitStore()
        own.stop()
        #expect(try text("a") == "of a\n")
        #expect(try LinuxFileSystem().names(in: living).contains("1-0.ring"))
        withExtendedLifetime(process) {}
    }

    @Test("rings of ended processes with nothing to commit are removed, but for the one that was used last")
    func spentRings() throws {
        let inflight = folder.path + "/inflight"
        try leaveRing(in: inflight, of: "a")
        for (number, turn) in [(2, 5), (3, 7), (4, 6), (5, 0)] {
            let ring = try InflightRing(
                path: inflight + "/\(number)-0.ring",
                capacity: 1 << 20,
                hostBoot: ProcFile.bootID,
                store: folder.path + "/a"
            )
            ring.lastTurn = Int64(turn)
        }
        // No store is opened.
        let next = try service("a")
        let names = try LinuxFileSystem().names(in: inflight)
        #expect(names.filter { $0.hasSuffix(".ring") }.sorted() == ["1-0.ring", "3-0.ring", "6-0.ring"])
        #expect(next.lastTurnBefore == 7)
    }

    @Test(
        "the ring of another version reports that data was lost if it is of this boot of the host",
        arguments: [false, true]
    )
    func otherVersion(isOfThisBoot: Bool) throws {
        let inflight = folder.path + "/inflight"
        try LinuxFileSystem().makeDirectory(inflight)
        let path = inflight + "/1-0.ring"
        do {
            let boot = isOfThisBoot ? ProcFile.bootID : "another"
            let ring = try InflightRing(path: path, capacity: 1 << 20, hostBoot: boot, store: folder.path + "/a")
            ring.mapping.copyMemory(from: Array("GLRING99".utf8), byteCount: 8)
        }
        #expect(try service("a").hasLostBefore == isOfThisBoot)
        #expect(LinuxFileSystem().status(path) == nil)
    }

    @Test(
        "losses of a killed process are recorded in their places: the writer's before its bytes, the shard's after"
    )
    func lossesInPlace() throws {
        let inflight = folder.path + "/inflight"
        try leaveRing(in: inflight, of: "a")
        do {
            let ring = try #require(
                try InflightRing(existing: inflight + "/1-0.ring", hostBoot: ProcFile.bootID)
            )
            ring.setWriterLoss(0, InflightRing.Loss(bytes: 30, lines: 3, since: 1, reason: 3))
            ring.setShardLoss(0, InflightRing.Loss(bytes: 7, lines: 1, since: 2, reason: 2))
            var boundaries = PendingBoundaries()
            boundaries.append(.boot(.closed))
            boundaries.append(.boot(.powerOn))
            ring.setShardBoundaries(0, boundaries)
        }
        let own = try service("a")
        try own.start()
        try own.awaitStore()
        own.stop()
        var seen: [String] = []
        let follower = StreamBatches(Store(root: folder.path + "/a").reader(of: StreamID(vm: "web", stream: .console0)))
        while let batch = try follower.next() {
            for record in batch.block.records[batch.firstRecord...] {
                let detail = RecordDetail(decoding: record.detail)
                seen.append(detail.gap.map { "gap \($0.bytes ?? 0)" } ?? detail.boot.map { $0.event.name } ?? "text")
            }
        }
        #expect(seen == ["gap 30", "text", "gap 7", "closed", "power-on"])
    }
}
