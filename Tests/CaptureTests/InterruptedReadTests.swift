// SPDX-License-Identifier: Apache-2.0

import TestSupport
import TestTraits
import Testing

@testable import Capture

/// A process that dies during a read.
@Suite(.blocking) struct InterruptedReadTests {
    /// When the process dies.
    enum Death: CaseIterable {
        case beforeRead, afterRead, afterPublishing, afterEnding
    }

    /// The texts in a ring, oldest first.
    private func texts(_ ring: InflightRing) -> [String] {
        var texts: [String] = []
        var position = ring.tail
        while let entry = ring.entry(at: position) {
            position = entry.end
            if entry.kind == .data {
                texts.append(String(decoding: entry.payload, as: UTF8.self))
            }
        }
        return texts
    }

    private func die(_ death: Death, reading text: String, in ring: InflightRing) throws {
        let room = try #require(ring.reserve())
        ring.beginRead(text.utf8.count, slot: 0, time: 7, flags: 0)
        guard death != .beforeRead else { return }
        room.copyBytes(from: text.utf8)
        guard death != .afterRead else { return }
        ring.addHeld(0, text.utf8.count)
        ring.publish(text.utf8.count, kind: .data, slot: 0, time: 7)
        guard death != .afterPublishing else { return }
        ring.endRead()
    }

    @Test(
        "bytes that were read are in the next process's ring, once; bytes that were not are not",
        arguments: Death.allCases
    )
    func interrupted(_ death: Death) throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/0.ring"
        for text in ["a whole line of the guest's\n", "short\n"] {
            let ring = try InflightRing(path: path, capacity: 1 << 20, hostBoot: "boot", store: "/store")
            try ring.setKey(Array("key".utf8), of: 0)
            try die(.afterEnding, reading: "before\n", in: ring)
            try die(death, reading: text, in: ring)
            let next = try #require(try InflightRing(existing: path, hostBoot: "boot"))
            #expect(texts(next) == (death == .beforeRead ? ["before\n"] : ["before\n", text]))
            #expect(next.held(0) == texts(next).reduce(0) { $0 + InflightRing.space(of: $1.utf8.count) })
            // A further process finds nothing more.
            #expect(texts(try #require(try InflightRing(existing: path, hostBoot: "boot"))) == texts(next))
            next.removeFile()
        }
    }

    @Test("a read at the ring's end, where the rest is skipped, is found too")
    func atTheEnd() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/0.ring"
        let capacity = 4 * InflightRing.maximumPayload
        let ring = try InflightRing(path: path, capacity: capacity, hostBoot: "boot", store: "/store")
        try ring.setKey(Array("key".utf8), of: 0)
        let long = String(repeating: "x", count: InflightRing.maximumPayload)
        for _ in 0..<3 {
            try die(.afterEnding, reading: long, in: ring)
        }
        // Two are done; there is no room for another before the end.
        let first = try #require(ring.entry(at: 0))
        let second = try #require(ring.entry(at: first.end))
        ring.tail = second.end
        try die(.afterRead, reading: "last\n", in: ring)
        #expect(texts(try #require(try InflightRing(existing: path, hostBoot: "boot"))) == [long, "last\n"])
    }
}
