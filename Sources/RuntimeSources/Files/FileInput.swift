// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import RotatingFile
import SystemIO
import TextFormats
import Transforms

/// A log file that is rotated, as the input of a source. Its lines end with their file: a line without an end that a
/// program left in a renamed file is a record of its own. `resume` is a `FileResume`.
final class FileInput: SourceInput {
    private let follower: (RotatingFileFollower.Start) -> RotatingFileFollower
    private let start: RotatingFileFollower.Start
    private let format: RecordFormat
    private let clock: any HostClock
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
    private var lastLocation: RecordDecoder.Location?
    /// The number of renames, by the follower's count, over which reading has gone on.
    private var renames = 0
    /// Whether the end, at which reading begins, is to be secured: what is written while nothing reads follows it.
    private var securesEnd = false
    /// The file up to whose beginning everything is committed, by the follower's count; 0 when nothing is.
    private var securedFile = 0
    /// Where what is held back was passed on before it is read again, by the count of `offset`; nil: nowhere.
    private var knownRelease: UInt64?
    /// Where it is being passed on now, by that count.
    private var release: UInt64?

    private struct Piece {
        let offset: UInt64
        let size: UInt64
        let position: [UInt8]
        let file: Int
    }

    /// When bytes were read last, in monotonic microseconds.
    private var lastRead: Int64 = 0
    /// How long a record is held back for a continuation when nothing comes, in microseconds: longer than the pause that
    /// parts the lines of two runs of a container, so that when it is read again the same records come.
    static let holdTime = ContainerParts.pause / 1000 + 1_000_000

    init(
        _ path: String,
        _ format: RecordFormat,
        trustedFolder: String?,
        names: FolderNames?,
        readsFromHead: Bool,
        rotateWait: Int64 = 0,
        buffer: FollowBuffer,
        clock: any HostClock
    ) {
        self.format = format
        self.clock = clock
        self.buffer = buffer
        decoder = RecordDecoder(format)
        start = readsFromHead ? .oldest : .end
        follower = {
            RotatingFileFollower(path, trustedFolder: trustedFolder, names: names, start: $0, rotateWait: rotateWait)
        }
    }

    var waitTime: Int64? { reading?.waitTime }

    var restTime: Int64? {
        decoder.isHolding ? max(0, lastRead + Self.holdTime - clock.monotonicMicroseconds()) : nil
    }

    func begin(at resume: [UInt8]?) throws(SystemError) -> SourceStart {
        guard let known = resume.flatMap(FileResume.init), var position = FollowPosition(text: known.position) else {
            // There was no file when `resume` was secured: all that is there now has come since.
            let isEmpty = resume?.isEmpty == true
            reading = follower(isEmpty ? .oldest : start)
            securesEnd = resume == nil && start == .end
            return resume == nil ? .resumed : .replaced
        }
        skippedRecords = known.skip
        if known.isBefore {
            skippedBytes = Int(known.behind)
        } else {
            position.rewind = known.behind
        }
        knownRelease = known.release
        // What is missing is reported as a gap.
        reading = follower(.position(position))
        securedFile = 1
        return .resumed
    }

    func read(into consumer: any RecordConsumer) throws -> ReadResult {
        guard let reading else {
            return .end
        }
        switch reading.next(buffer) {
        case .idle(let idle):
            if restTime == 0 {
                // Read again, it could be joined with what has come since: that it is not is known before it is stored.
                release = offset
                try consumer.secure(resume(at: lastLocation, withRelease: true))
                securedFile = pieces.first?.file ?? securedFile
                try releaseHeld(into: consumer)
                try consumer.secure(resume(at: lastLocation))
            }
            if case .failing(let error) = idle {
                return .failing("\(error)")
            }
            if securesEnd {
                securesEnd = false
                try consumer.secure(beginning(reading))
            }
            return .idle
        case .gap(let gap):
            // What is held back has no continuation.
            try finish(into: consumer)
            decoder = RecordDecoder(format)
            (pieces, lastLocation, offset, withheld) = ([], nil, 0, 0)
            (skippedRecords, skippedBytes, securedFile, knownRelease) = (0, 0, 0, nil)
            return .loss(bytes: gap.bytes, reason: "\(gap.reason)")
        case .bytes(let bytes) where bytes.isEmpty: return .more
        case .bytes(let bytes):
            if reading.renameCount != renames {
                renames = reading.renameCount
                try decode(into: consumer) { $0.finishFile($1) }
            }
            if let position = reading.position {
                let text = Array(position.text.utf8)
                pieces.append(
                    Piece(offset: offset, size: UInt64(bytes.count), position: text, file: reading.fileCount)
                )
            }
            var begin = min(skippedBytes, bytes.count)
            skippedBytes -= begin
            // The decoder counts from the bytes that it gets.
            withheld += UInt64(begin)
            let start = offset
            offset += UInt64(bytes.count)
            lastRead = clock.monotonicMicroseconds()
            if let known = knownRelease, known <= offset {
                let end = max(begin, Int(known - start))
                try add(UnsafeRawBufferPointer(rebasing: bytes[begin..<end]), into: consumer)
                (release, knownRelease) = (known, nil)
                try releaseHeld(into: consumer)
                begin = end
            }
            try add(UnsafeRawBufferPointer(rebasing: bytes[begin...]), into: consumer)
            return .more
        }
    }

    private func add(_ bytes: UnsafeRawBufferPointer, into consumer: any RecordConsumer) throws {
        let now = clock.now
        try decode(into: consumer) { $0.add(bytes, readAt: now, $1) }
    }

    /// Passes on what is held back, at `release`: what follows does not belong to it.
    private func releaseHeld(into consumer: any RecordConsumer) throws {
        defer { release = nil }
        try decode(into: consumer) { $0.releaseHeld($1) }
    }

    /// Bytes that the decoder did not get.
    private var withheld: UInt64 = 0

    func finish(into consumer: any RecordConsumer) throws {
        try decode(into: consumer) { $0.finish($1) }
    }

    /// Gives `consumer` the records that `body` has the decoder emit.
    private func decode(
        into consumer: any RecordConsumer,
        _ body: (inout RecordDecoder, (inout RecordBuffer, RecordDecoder.Location) -> Void) -> Void
    ) throws {
        var failure: (any Error)?
        body(&decoder) { record, location in
            guard failure == nil else {
                return
            }
            guard skippedRecords == 0 else {
                skippedRecords -= 1
                lastLocation = location
                return
            }
            do {
                if let beginning = newFile() {
                    try consumer.secure(beginning)
                }
                try consumer.add(&record, endingAt: resume(at: location))
                lastLocation = location
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
        forget(before: end(of: lastLocation))
        guard let piece = pieces.first, piece.file != securedFile else {
            return nil
        }
        securedFile = piece.file
        return resume(at: lastLocation)
    }

    private func end(of location: RecordDecoder.Location?) -> UInt64 { (location?.end ?? 0) + withheld }

    /// Removes the pieces before the one that contains what follows `end`.
    private func forget(before end: UInt64) {
        while pieces.count > 1, pieces[1].offset <= end {
            pieces.removeFirst()
        }
    }

    /// Where to begin for what follows `location`; nil: the beginning. Records to be skipped that came by the release are
    /// skipped only where it is known, and with `withRelease` it is in any case.
    private func resume(at location: RecordDecoder.Location?, withRelease: Bool = false) -> [UInt8] {
        let end = end(of: location)
        forget(before: end)
        guard let piece = pieces.first else {
            return []
        }
        let behind = piece.size - min(piece.size, end - min(end, piece.offset))
        let skip = (location?.skip ?? 0) + skippedRecords
        let release = withRelease || skip > 0 ? release.map { $0 - end } : nil
        return FileResume(skip: skip, behind: behind, release: release, position: piece.position).bytes
    }

    /// Where to begin for what follows so far; empty when there is no file.
    private func beginning(_ reading: RotatingFileFollower) -> [UInt8] {
        reading.position.map {
            FileResume(skip: 0, behind: 0, release: nil, position: Array($0.text.utf8)).bytes
        } ?? []
    }

    func wait(_ interruption: Interruption, within microseconds: Int64) {
        _ = interruption.isRaised(within: microseconds)
    }
}
