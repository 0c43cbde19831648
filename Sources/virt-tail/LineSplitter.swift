// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// Divides the log's bytes into lines; a line that is not finished, or too long, is passed on in pieces.
struct LineSplitter {
    /// A line or a part of one, without the line's end.
    struct Piece {
        var content: UnsafeRawBufferPointer
        /// The row as it is now, where `content` changes what was passed on of it: the line shows it anew.
        var row: UnsafeRawBufferPointer?
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
    /// The row of which a part was passed on; nil when none was, or the row is too long to be followed.
    private var shown: ShownRow?

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
        if isDisplayed, !piece.beginsLine || !piece.endsLine {
            passPart(piece, emit)
        } else {
            emit(piece)
        }
        beginsLine = piece.endsLine
    }

    /// Passes on a part of a displayed line. One that changes what was passed on of the row, or begins another row, ends
    /// the line before it.
    private mutating func passPart(_ piece: Piece, _ emit: (Piece) -> Void) {
        defer {
            if piece.endsLine || (shown.map { $0.bytes.count >= Self.limit } ?? false) {
                shown = nil
            }
        }
        guard !piece.beginsLine else {
            shown = ShownRow(piece.content, sets: piece.sets)
            return emit(piece)
        }
        guard shown?.add(piece.content, sets: piece.sets, isWhole: piece.endsLine) == .restarted, let shown else {
            return emit(piece)
        }
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        emit(Piece(content: nothing, time: piece.time, beginsLine: false, endsLine: true))
        shown.bytes.withUnsafeBytes {
            var piece = piece
            (piece.row, piece.beginsLine) = ($0, true)
            emit(piece)
        }
    }

    private mutating func passPending(endsLine: Bool, _ emit: (Piece) -> Void) {
        let (bytes, time, sets) = (pending, pendingTime, sets)
        bytes.withUnsafeBytes {
            pass(Piece(content: $0, time: time, beginsLine: beginsLine, endsLine: endsLine, sets: sets), emit)
        }
        self.sets = CharacterSets()
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
            var (cutter, sets) = (cutter, sets)
            let (moment, bytes) = (pendingTime, pending)
            let end: Int? = bytes.withUnsafeBytes { bytes in
                let text = UnsafeRawBufferPointer(rebasing: bytes[start...])
                guard let cut = cutter.firstLine(of: text, limit: Self.limit) else {
                    return nil
                }
                let hasFeed = text[cut.end - 1] == Lines.feed
                let content = UnsafeRawBufferPointer(rebasing: text[..<(hasFeed ? cut.end - 1 : cut.end)])
                let piece = Piece(
                    content: content,
                    time: moment,
                    beginsLine: beginsLine,
                    endsLine: cut.endsRow,
                    sets: sets
                )
                pass(piece, emit)
                sets = cut.carriedSets?.applied(to: sets) ?? CharacterSets()
                return start + cut.end
            }
            (self.cutter, self.sets) = (cutter, sets)
            guard let end else {
                break
            }
            start = end
            pendingTime = time
        }
        pending.removeSubrange(..<start)
    }
}
