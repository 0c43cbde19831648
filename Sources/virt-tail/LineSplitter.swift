// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// Divides the log's bytes into lines; a line that is not finished, or too long, is passed on in pieces.
struct LineSplitter {
    /// A line or a part of one, without the line's end.
    struct Piece {
        var content: UnsafeRawBufferPointer
        /// When its first byte was read.
        var time: Timestamp
        var beginsLine: Bool
        var endsLine: Bool
        /// The character sets at its beginning.
        var sets = CharacterSets()
    }

    /// A longer line is divided.
    static let limit = 64 << 10

    private let isDisplayed: Bool
    private var cutter = GrowingLineCutter()
    private var pending: [UInt8] = []
    private var pendingTime = Timestamp.distantPast
    private var beginsLine = true
    /// The character sets that the next line begins with.
    private var sets = CharacterSets()

    /// A splitter at LF, or with `isDisplayed` at the ends of lines as a terminal displays them.
    init(isDisplayed: Bool) {
        self.isDisplayed = isDisplayed
    }

    /// Number of bytes that have not been passed on.
    var pendingCount: Int { pending.count }

    /// Passes on the lines that `bytes`, read at `time`, finish.
    mutating func add(_ bytes: UnsafeRawBufferPointer, at time: Timestamp, _ emit: (Piece) -> Void) {
        if isDisplayed {
            append(bytes, at: time)
            cutPending(at: time, emit)
            return
        }
        var start = 0
        while let feed = Lines.firstFeed(in: bytes, from: start) {
            let line = UnsafeRawBufferPointer(rebasing: bytes[start..<feed])
            if pending.isEmpty, line.count <= Self.limit {
                pass(Piece(content: line, time: time, beginsLine: beginsLine, endsLine: true), emit)
            } else {
                append(line, at: time)
                dividePending(at: time, emit)
                passPending(endsLine: true, emit)
            }
            start = feed + 1
        }
        append(UnsafeRawBufferPointer(rebasing: bytes[start...]), at: time)
        dividePending(at: time, emit)
    }

    /// Passes on the unfinished line. `endsLine`: what follows does not belong to it.
    mutating func flush(endsLine: Bool = false, _ emit: (Piece) -> Void) {
        cutter = GrowingLineCutter()
        if !pending.isEmpty || endsLine && !beginsLine {
            passPending(endsLine: endsLine, emit)
        }
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer, at time: Timestamp) {
        guard !bytes.isEmpty else {
            return
        }
        if pending.isEmpty {
            pendingTime = time
        }
        pending.append(contentsOf: bytes)
    }

    private mutating func pass(_ piece: Piece, _ emit: (Piece) -> Void) {
        emit(piece)
        beginsLine = piece.endsLine
    }

    private mutating func passPending(endsLine: Bool, _ emit: (Piece) -> Void) {
        let (time, begins, sets) = (pendingTime, beginsLine, sets)
        pending.withUnsafeBytes {
            emit(Piece(content: $0, time: time, beginsLine: begins, endsLine: endsLine, sets: sets))
        }
        self.sets = CharacterSets()
        beginsLine = endsLine
        pending.removeAll(keepingCapacity: pending.capacity <= 2 * Self.limit)
    }

    /// Passes on what exceeds the limit; at most the limit stays.
    private mutating func dividePending(at time: Timestamp, _ emit: (Piece) -> Void) {
        guard pending.count > Self.limit else {
            return
        }
        var start = 0
        while pending.count - start > Self.limit {
            let (moment, begins) = (pendingTime, beginsLine)
            pending.withUnsafeBytes { bytes in
                let part = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + Self.limit)])
                emit(Piece(content: part, time: moment, beginsLine: begins, endsLine: false))
            }
            beginsLine = false
            pendingTime = time
            start += Self.limit
        }
        pending.removeSubrange(..<start)
    }

    /// Passes on the displayed lines that are finished.
    private mutating func cutPending(at time: Timestamp, _ emit: (Piece) -> Void) {
        var start = 0
        while true {
            var (cutter, begins, sets) = (cutter, beginsLine, sets)
            let moment = pendingTime
            let end: Int? = pending.withUnsafeBytes { bytes in
                let text = UnsafeRawBufferPointer(rebasing: bytes[start...])
                guard let cut = cutter.firstLine(of: text, limit: Self.limit) else {
                    return nil
                }
                let hasFeed = text[cut.end - 1] == Lines.feed
                let content = UnsafeRawBufferPointer(rebasing: text[..<(hasFeed ? cut.end - 1 : cut.end)])
                emit(Piece(content: content, time: moment, beginsLine: begins, endsLine: cut.endsRow, sets: sets))
                begins = cut.endsRow
                sets = cut.carriedSets?.applied(to: sets) ?? CharacterSets()
                return start + cut.end
            }
            (self.cutter, beginsLine, self.sets) = (cutter, begins, sets)
            guard let end else {
                break
            }
            start = end
            pendingTime = time
        }
        pending.removeSubrange(..<start)
    }
}
