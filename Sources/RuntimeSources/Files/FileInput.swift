// SPDX-License-Identifier: Apache-2.0

import LogModel
import RotatingFile
import SystemIO
import TextFormats
import Transforms

/// A log file that is rotated, as the input of a source.
///
/// The place to begin is a number of records to skip, a number of bytes, four bytes each, most significant first, and
/// the follower's position so many bytes behind the place: by what is before a position its file is recognized, and
/// before the first bytes of a file is nothing. Without the highest bit of the first number, from earlier versions, the
/// position is so many bytes before the place.
final class FileInput: SourceInput {
    private let follower: (FollowPosition?) -> RotatingFileFollower
    private let format: RecordFormat
    private let buffer: FollowBuffer
    private var reading: RotatingFileFollower?
    private var decoder: RecordDecoder
    private var skippedRecords = 0
    private var skippedBytes = 0
    /// The number of bytes that the decoder has had.
    private var offset: UInt64 = 0
    /// The pieces from the one with the earliest text that is held back on: where each began, its size, and the position
    /// behind it.
    private var pieces: [(offset: UInt64, size: UInt64, position: [UInt8])] = []

    /// Says that the position is behind the place.
    private static let isBehind: UInt32 = 1 << 31

    init(
        _ path: String,
        _ format: RecordFormat,
        trustedFolder: String?,
        names: FolderNames?,
        readsFromHead: Bool,
        buffer: FollowBuffer
    ) {
        self.format = format
        self.buffer = buffer
        decoder = RecordDecoder(format)
        follower = { position in
            let start = position.map { RotatingFileFollower.Start.position($0) } ?? (readsFromHead ? .oldest : .end)
            return RotatingFileFollower(path, trustedFolder: trustedFolder, names: names, start: start)
        }
    }

    func begin(at resume: [UInt8]?) throws(SystemError) -> Bool {
        guard let resume, resume.count > 8, let position = FollowPosition(text: resume[8...]) else {
            reading = follower(nil)
            return resume == nil
        }
        let first = resume[..<4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        let bytes = resume[4..<8].reduce(0) { $0 << 8 | Int($1) }
        skippedRecords = Int(first & ~Self.isBehind)
        var place = position
        if first & Self.isBehind == 0 {
            skippedBytes = bytes
        } else {
            place.rewind = UInt64(bytes)
        }
        // What is missing is reported as a gap.
        reading = follower(place)
        return true
    }

    func read(_ add: (inout RecordBuffer, [UInt8]) throws -> Void) throws -> SourceReading {
        guard let reading else {
            return .end
        }
        switch reading.next(buffer) {
        case .idle: return .idle
        case .gap(let gap):
            (skippedRecords, skippedBytes) = (0, 0)
            return .loss(bytes: gap.bytes, reason: gap.reason.words)
        case .bytes(let bytes):
            if let position = reading.position {
                pieces.append((offset, UInt64(bytes.count), Array(position.text.utf8)))
            }
            let skipped = min(skippedBytes, bytes.count)
            skippedBytes -= skipped
            // The decoder counts from the bytes that it gets.
            offset += UInt64(bytes.count)
            try decode(UnsafeRawBufferPointer(rebasing: bytes[skipped...]), add, skipped: UInt64(skipped))
            return .more
        }
    }

    /// Bytes that the decoder did not get.
    private var withheld: UInt64 = 0

    private func decode(
        _ bytes: UnsafeRawBufferPointer,
        _ add: (inout RecordBuffer, [UInt8]) throws -> Void,
        skipped: UInt64
    ) throws {
        withheld += skipped
        var failure: (any Error)?
        decoder.add(bytes) { record, place in
            guard skippedRecords == 0 else {
                skippedRecords -= 1
                return
            }
            guard failure == nil else {
                return
            }
            do {
                try add(&record, resume(at: place))
            } catch {
                failure = error
            }
        }
        if let failure {
            throw failure
        }
    }

    private func resume(at place: RecordDecoder.Place) -> [UInt8] {
        let end = place.end + withheld
        while pieces.count > 1, pieces[1].offset <= end {
            pieces.removeFirst()
        }
        guard let piece = pieces.first else {
            return []
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + piece.position.count)
        let skip = min(UInt32(clamping: place.skip), Self.isBehind - 1) | Self.isBehind
        let behind = piece.size - min(piece.size, end - min(end, piece.offset))
        for number in [skip, UInt32(clamping: behind)] {
            for shift in stride(from: UInt32(24), through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: number >> shift))
            }
        }
        return bytes + piece.position
    }

    func wait(_ interruption: Interruption, within microseconds: Int64) {
        _ = interruption.isRaised(within: microseconds)
    }
}
