// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO

@testable import Capture
@testable import LogStore
@testable import RotatingFile

// Parsers of files, which a crash or the disk may have damaged.
extension FuzzTarget {
    static func index(_ bytes: [UInt8]) throws {
        // Whatever is decoded is encoded to the same bytes.
        if let (record, size) = bytes.withUnsafeBytes({ IndexRecord.decode($0) }) {
            var again: [UInt8] = []
            record.encode(into: &again)
            let (copy, copySize) = try again.withUnsafeBytes { buffer in
                guard let decoded = IndexRecord.decode(buffer) else {
                    throw Violation(description: "an encoded record cannot be decoded")
                }
                return decoded
            }
            try require(copy == record && copySize <= size, "a record changes when it is encoded")
        }
        let detail = RecordDetail(decoding: bytes)
        try require(RecordDetail(decoding: detail.encoded) == detail, "a detail changes when it is encoded")
    }

    static func segment(_ bytes: [UInt8]) throws {
        let path = "/dev/shm/guestlog-fuzz-\(getpid()).log.zst"
        defer { unlink(path) }
        let files = LinuxFileSystem()
        do {
            let file = try StoredFile(path, .create, on: files)
            try file.truncate(to: 0)
            try file.write(at: 0, bytes)
        }
        guard let segment = try SegmentFile.readable(path, on: files) else {
            return
        }
        try require(segment.length <= bytes.count, "blocks after the end of the file")
        let decompressor = Decompressor()
        for header in segment.headers {
            _ = try? segment.records(of: header, decompressor)
        }
        _ = try segment.hasTornIndex
    }

    /// The input changes a ring with three entries: each three bytes are a position, among the header, the first slots
    /// and the entries, and a value.
    static func ring(_ bytes: [UInt8]) throws {
        let path = "/dev/shm/guestlog-fuzz-\(getpid()).ring"
        unlink(path)
        defer { unlink(path) }
        let capacity = 1 << 20
        let whole = try InflightRing(path: path, capacity: capacity, hostBoot: "boot", store: "/store")
        try whole.setKey(StreamKey(name: "web").encoded ?? [], of: 0)
        for count in [1, 100, 4000] where whole.reserve() != nil {
            whole.publish(count, kind: .data, slot: 0, time: 1)
        }
        let front = InflightRing.headerSize + 2 * InflightRing.slotSize
        var rest = bytes[...]
        while rest.count >= 3 {
            let offset = (Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])) % (front + 8192)
            let byte = rest[rest.startIndex + 2]
            if offset < front {
                whole.mapping.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
            } else {
                whole.data.storeBytes(of: byte, toByteOffset: offset - front, as: UInt8.self)
            }
            rest = rest.dropFirst(3)
        }
        guard let left = try? InflightRing(existing: path, hostBoot: "boot") else {
            return
        }
        let payloads = Orphans([left]).uncommitted.values.joined().flatMap { $0.entries.map(\.payload.count) }
        try require(payloads.reduce(0, +) <= capacity, "more data than the ring holds")
    }

    /// The text of a position; or two names of files of one log, divided by LF.
    static func follow(_ bytes: [UInt8]) throws {
        if let position = FollowPosition(text: bytes) {
            try require(FollowPosition(text: position.text.utf8) == position, "a position changes when it is written")
        }
        let names = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
        let rotated = names.map { RotatedName($0, live: $0.prefix(1)) }
        if names.count == 2, let left = rotated[0], let right = rotated[1], names[0].first == names[1].first {
            try require(!(left < right && right < left), "each of two files is older than the other")
            try require(!(left < left), "a file is older than itself")
        }
    }
}
