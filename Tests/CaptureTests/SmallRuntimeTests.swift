// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Capture

/// A runtime folder with little room, or none.
@Suite(.blocking, .enabled(if: SmallDisk.isPossible, "mounting a small file system needs root: run the tests as root"))
struct SmallRuntimeTests {
    private func put(_ ring: InflightRing, _ text: [UInt8]) -> Bool {
        guard let room = ring.reserve(), room.count >= text.count else {
            return false
        }
        room.copyBytes(from: text)
        ring.publish(text.count, kind: .data, slot: 0, time: 1)
        return true
    }

    @Test("a ring without room on the file system is in memory, and works")
    func inMemory() throws {
        let disk = SmallDisk(megabytes: 1)
        disk.fill(leaving: 0)
        let path = disk.folder.path + "/1-0.ring"
        let ring = try InflightRing(path: path, capacity: 8 << 20, hostBoot: "boot", store: "/store")
        #expect(!ring.isDurable)
        // The empty file shows the next process that data may be lost; it is removed with the ring.
        #expect(try StoredFile(path, .read, on: LinuxFileSystem()).size == 0)
        try ring.setKey(Array("key".utf8), of: 0)
        #expect(put(ring, Array("in memory\n".utf8)))
        #expect(ring.entry(at: ring.tail).map { Array($0.payload) } == Array("in memory\n".utf8))
        ring.removeFile()
        #expect(access(path, F_OK) != 0)
    }

    @Test("without a free inode for its file a ring is in memory too")
    func noInode() throws {
        let disk = SmallDisk(megabytes: 1, inodes: 2)
        #expect(open(disk.folder.path + "/last", O_CREAT | O_CLOEXEC, 0o600) >= 0)
        let path = disk.folder.path + "/1-0.ring"
        let ring = try InflightRing(path: path, capacity: 1 << 20, hostBoot: "boot", store: "/store")
        #expect(!ring.isDurable)
        try ring.setKey(Array("key".utf8), of: 0)
        #expect(put(ring, Array("in memory\n".utf8)))
    }

    @Test("a ring that gets less memory than its capacity works within that memory")
    func goesRound() throws {
        let disk = SmallDisk(megabytes: 2)
        let path = disk.folder.path + "/1-0.ring"
        let ring = try InflightRing(path: path, capacity: 8 << 20, hostBoot: "boot", store: "/store")
        #expect(ring.isDurable)
        var random = SeededGenerator(seed: 5)
        var (written, read) = (0, 0)
        var position = ring.tail
        while read < 2000 {
            let text =
                NumberedLines.line(written) + [UInt8](repeating: 7, count: Int.random(in: 0..<30_000, using: &random))
            if put(ring, text) {
                written += 1
                continue
            }
            while let entry = ring.entry(at: position) {
                position = entry.end
                if entry.kind == .data {
                    #expect(entry.payload.starts(with: NumberedLines.line(read)))
                    read += 1
                }
            }
            ring.tail = position
        }
    }

    @Test("a slot that was refused is assigned later, and none is skipped")
    func refusedSlots() throws {
        let disk = SmallDisk(megabytes: 1)
        let path = disk.folder.path + "/1-0.ring"
        let ring = try InflightRing(path: path, capacity: 256 << 10, hostBoot: "boot", store: "/store")
        #expect(ring.isDurable)
        disk.fill(leaving: 0)
        var next = 0
        while (try? ring.setKey(Array("key".utf8), of: next)) != nil {
            next += 1
        }
        #expect(ring.slotsUsed == next)
        disk.clear()
        try ring.setKey(Array("key".utf8), of: next)
        #expect(ring.slotsUsed == next + 1)
    }

    @Test("a console without room is stored once there is some, and earlier output is counted")
    func storedLater() throws {
        let disk = SmallDisk(megabytes: 2)
        // Both shards' slots are on pages of eight: all of the first page is used by others.
        let fixture = try GuestFixture(runtime: disk.folder.path, crowded: disk)
        let guest = fixture.talk(lines: 2000)
        guest.join("while the runtime folder is full")
        // What is left in the socket is read in the turn before the second answer.
        (0..<2).forEach { _ in _ = fixture.hub.statuses() }
        #expect(fixture.capture.problems.all.contains { $0.problem.contains("No space left") })
        #expect(try fixture.stored().bytes.isEmpty)
        // If the process ended now, the next one would tell that output was lost.
        let rings = disk.folder.path + "/inflight"
        let note = rings + "/0-unrecorded.ring"
        #expect(try LinuxFileSystem().names(in: rings).contains("0-unrecorded.ring"))
        disk.clear()
        #expect(eventually { fixture.hub.statuses().first?.isStored == true })
        let second = fixture.talk(lines: 100)
        second.join("with room again")
        try fixture.expectAccounted(for: guest, second)
        let stored = try fixture.stored()
        #expect(stored.gaps.map(\.reason) == [.noRoom] && stored.lostBytes == guest.bytes)
        #expect(stored.boots.map(\.event) == [.powerOn])
        #expect(eventually { fixture.capture.problems.all.isEmpty })
        #expect(access(note, F_OK) != 0)
        fixture.stop()
    }
}
