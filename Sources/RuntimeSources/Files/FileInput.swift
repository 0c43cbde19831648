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
    private var pieces: [Piece] = []
    /// Where the last record ended.
    private var lastPlace: RecordDecoder.Place?
    /// The file up to whose beginning everything is committed, by the follower's count; 0 when nothing is.
    private var securedFile = 0

    private struct Piece {
        let offset: UInt64
        let size: UInt64
        let position: [UInt8]
        let file: Int
    }

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

    func begin(at resume: [UInt8]?) throws(SystemError) -> SourceBeginning {
        guard let resume, resume.count > 8, let position = FollowPosition(text: resume[8...]) else {
            reading = follower(nil)
            return resume == nil ? .there : .anew
        }
        let first = UInt32(resume[..<4].bigEndian)
        let bytes = Int(resume[4..<8].bigEndian)
        skippedRecords = Int(first & ~Self.isBehind)
        var place = position
        if first & Self.isBehind == 0 {
            skippedBytes = bytes
        } else {
            place.rewind = UInt64(bytes)
        }
        // What is missing is reported as a gap.
        reading = follower(place)
        securedFile = 1
        return .there
    }

    func read(into taker: any RecordTaker) throws -> SourceReading {
        guard let reading else {
            return .end
        }
        switch reading.next(buffer) {
        case .idle(.failing(let error)): return .failing("\(error)")
        case .idle: return .idle
        case .gap(let gap):
            (skippedRecords, skippedBytes, securedFile) = (0, 0, 0)
            return .loss(bytes: gap.bytes, reason: gap.reason.words)
        case .bytes(let bytes):
            if let position = reading.position {
                let text = Array(position.text.utf8)
                pieces.append(
                    Piece(offset: offset, size: UInt64(bytes.count), position: text, file: reading.fileCount)
                )
            }
            let skipped = min(skippedBytes, bytes.count)
            skippedBytes -= skipped
            // The decoder counts from the bytes that it gets.
            offset += UInt64(bytes.count)
            withheld += UInt64(skipped)
            try decode(UnsafeRawBufferPointer(rebasing: bytes[skipped...]), into: taker)
            return .more
        }
    }

    /// Bytes that the decoder did not get.
    private var withheld: UInt64 = 0

    private func decode(_ bytes: UnsafeRawBufferPointer, into taker: any RecordTaker) throws {
        var failure: (any Error)?
        decoder.add(bytes) { record, place in
            guard failure == nil else {
                return
            }
            guard skippedRecords == 0 else {
                skippedRecords -= 1
                lastPlace = place
                return
            }
            do {
                if let beginning = newFile() {
                    try taker.secure(beginning)
                }
                try taker.add(&record, endingAt: resume(at: place))
                lastPlace = place
            } catch {
                failure = error
            }
        }
        if let failure {
            throw failure
        }
    }

    /// Where reading can begin for the next record, if that is in a file that is not secured yet.
    private func newFile() -> [UInt8]? {
        forget(before: end(of: lastPlace))
        guard let piece = pieces.first, piece.file != securedFile else {
            return nil
        }
        securedFile = piece.file
        return resume(at: lastPlace)
    }

    private func end(of place: RecordDecoder.Place?) -> UInt64 { (place?.end ?? 0) + withheld }

    /// Removes the pieces before the one that contains what follows `end`.
    private func forget(before end: UInt64) {
        while pieces.count > 1, pieces[1].offset <= end {
            pieces.removeFirst()
        }
    }

    /// Where to begin for what follows `place`; nil: the beginning.
    private func resume(at place: RecordDecoder.Place?) -> [UInt8] {
        let end = end(of: place)
        forget(before: end)
        guard let piece = pieces.first else {
            return []
        }
        let skip = min(UInt32(clamping: place?.skip ?? 0), Self.isBehind - 1) | Self.isBehind
        let behind = piece.size - min(piece.size, end - min(end, piece.offset))
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + piece.position.count)
        bytes.append(bigEndian: skip)
        bytes.append(bigEndian: UInt32(clamping: behind))
        bytes += piece.position
        return bytes
    }

    func wait(_ interruption: Interruption, within microseconds: Int64) {
        _ = interruption.isRaised(within: microseconds)
    }
}
