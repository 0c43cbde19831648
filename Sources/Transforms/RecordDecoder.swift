// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import TextFormats

/// Cuts a log's bytes into lines and parses each into a record: for files, imports and standard input. Bounded in
/// memory whatever the lines are.
///
/// Lines that belong together are joined: the parts of containers' lines, and Kata's records over several lines. Each
/// record says where reading can begin again, before the earliest text that is held back, and how many records come
/// again from there: reading the same bytes gives the same records.
public struct RecordDecoder: Sendable {
    /// Where a record comes from.
    public struct Location: Hashable, Sendable {
        /// The number of its first line, from 1.
        public var line: Int
        /// Where its first line begins, in bytes.
        public var start: UInt64
        /// Where to begin reading for what follows it.
        public var end: UInt64
        /// The number of records that come from there before what follows it.
        public var skip: Int
    }

    public let format: RecordFormat
    private let flattens: Bool
    /// A line whose end has not come.
    private var open = UnfinishedLine()
    /// Where the next line begins.
    private var offset: UInt64
    /// Where the last line began.
    private var lineStart: UInt64 = 0
    private var line = 0
    private var record = RecordBuffer()
    private var parts = ContainerParts()
    private var kata = KataLines()
    private var frames: FramedRecords?
    /// When the latest bytes were read.
    private var now = Timestamp(microseconds: 0)
    /// The beginnings of the lines that completed records, from the earliest text that is held back on.
    private var completed: [UInt64] = []

    /// Text is held back until so many records have come after it.
    private static let heldLimit = 10_000

    /// Maximum size of a line, in bytes; a longer one is cut, and its record says so. Its escapes may need as much again.
    static let lineLimit = 2 << 20
    /// The field of a record that was cut.
    public static let truncatedName: ConstantBytes = "GUESTLOG_TRUNCATED"

    /// A decoder of text that begins at `offset` in its log. With `flattens`, members of objects become fields.
    public init(_ format: RecordFormat, at offset: UInt64 = 0, flattens: Bool = true) {
        self.format = format
        self.flattens = flattens
        self.offset = offset
        frames = format.framing.map(FramedRecords.init)
    }

    /// Whether text is held back that is complete in itself, as what follows may belong to it.
    public var isHolding: Bool { heldStart != nil }

    /// Where text that is held back begins.
    private var heldStart: UInt64? { [parts.start, kata.start].compactMap { $0 }.min() }

    /// Takes the next bytes, which were read at `now`, and passes the records that are complete to `emit`.
    public mutating func add(
        _ bytes: UnsafeRawBufferPointer,
        readAt now: Timestamp,
        _ emit: (inout RecordBuffer, Location) -> Void
    ) {
        self.now = now
        if frames != nil {
            return decodeFrames(adding: bytes, emit)
        }
        var begin = 0
        while let feed = Lines.firstFeed(in: bytes, from: begin) {
            let piece = UnsafeRawBufferPointer(rebasing: bytes[begin..<feed])
            if open.size == 0, piece.firstOffset(of: 0, from: 0) == nil {
                decodeLine(piece, consuming: UInt64(piece.count) + 1, isTruncated: false, emit)
            } else {
                hold(piece, emit)
                decodeUnfinishedLine(withEnd: 1, emit)
            }
            begin = feed + 1
        }
        hold(UnsafeRawBufferPointer(rebasing: bytes[begin...]), emit)
    }

    /// Ends a file of the log: a last line without an end has no continuation in the next file. Lines that belong
    /// together may stand in both.
    public mutating func finishFile(_ emit: (inout RecordBuffer, Location) -> Void) {
        if open.size > 0 {
            decodeUnfinishedLine(withEnd: 0, emit)
        }
        if frames != nil {
            decodeFrames(adding: nil, emit)
        }
    }

    /// Ends the log: passes what was held back to `emit`, and a last line without an end.
    public mutating func finish(_ emit: (inout RecordBuffer, Location) -> Void) {
        finishFile(emit)
        releaseHeld(emit)
    }

    /// Passes what is held back to `emit`, as nothing has come for a while: what comes then does not belong to it. A line
    /// without an end stays.
    public mutating func releaseHeld(_ emit: (inout RecordBuffer, Location) -> Void) {
        while let joined = parts.takeUnfinished() {
            append(joined, isLast: true, emit)
        }
        if let text = kata.finish() {
            parse([text], emit)
        }
    }

    // MARK: - Entries that are not lines

    /// Decodes the entries that `bytes`, or the end of the log, complete.
    private mutating func decodeFrames(
        adding bytes: UnsafeRawBufferPointer?,
        _ emit: (inout RecordBuffer, Location) -> Void
    ) {
        var items: [(item: FramedRecords.Item, size: UInt64)] = []
        if let bytes {
            frames?.add(bytes) { items.append(($0, $1)) }
        } else {
            frames?.finish { items.append(($0, $1)) }
        }
        for (item, size) in items {
            let start = beginLine(of: size, emit)
            switch item {
            case .part(let part):
                add(part, at: start, emit)
            case .damage(let bytes) where bytes.allSatisfy { $0 == 0 }:
                // A hole, as between lines.
                break
            case .damage(let bytes):
                parse(bytes, at: start, line: line, emit)
            }
        }
    }

    // MARK: - Lines

    /// Counts a line, or another entry, of `count` bytes; returns where it begins.
    private mutating func beginLine(of count: UInt64, _ emit: (inout RecordBuffer, Location) -> Void) -> UInt64 {
        if completed.count > Self.heldLimit {
            releaseHeld(emit)
        }
        lineStart = offset
        offset += count
        line += 1
        return lineStart
    }

    /// Adds to the unfinished line; one that a hole ends is decoded.
    private mutating func hold(_ piece: UnsafeRawBufferPointer, _ emit: (inout RecordBuffer, Location) -> Void) {
        var begin = 0
        while let hole = open.add(piece, from: begin) {
            decodeUnfinishedLine(withEnd: 0, emit)
            // What follows has the same number.
            line -= 1
            begin = hole
        }
    }

    /// Decodes the unfinished line, whose end has so many bytes.
    private mutating func decodeUnfinishedLine(withEnd end: UInt64, _ emit: (inout RecordBuffer, Location) -> Void) {
        let whole = open
        open = UnfinishedLine()
        whole.text.withUnsafeBytes { decodeLine($0, consuming: whole.size + end, isTruncated: whole.isCut, emit) }
    }

    private mutating func decodeLine(
        _ text: UnsafeRawBufferPointer,
        consuming count: UInt64,
        isTruncated: Bool,
        _ emit: (inout RecordBuffer, Location) -> Void
    ) {
        let start = beginLine(of: count, emit)
        // Programs of other systems, and editors, write one at the beginning of a file, which may have been joined to another.
        let isMarked = text.starts(with: Self.byteOrderMark)
        let text = UnsafeRawBufferPointer(rebasing: text[(isMarked ? Self.byteOrderMark.count : 0)...])
        guard isTruncated || text.contains(where: { $0 > 0x20 }) else {
            return
        }
        switch format {
        case .cri:
            if let line = CRILine(text) {
                return add(line.part(of: text), at: start, emit)
            }
        case .docker:
            if let part = DockerLine.parse(text) {
                return add(part, at: start, emit)
            }
        case .kata where !kata.isWhole(text):
            parse(kata.add(text, at: start, number: line), isTruncated: isTruncated, emit)
            return
        case .kata, .logfmt, .json, .syslog, .dockerLocal, .iolog, .text: break
        }
        parse(text, at: start, line: line, isTruncated: isTruncated, emit)
    }

    private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]

    private mutating func add(
        _ part: ContainerPart,
        at start: UInt64,
        _ emit: (inout RecordBuffer, Location) -> Void
    ) {
        while let unfinished = parts.takeUnfinished(before: part.time) {
            append(unfinished, isLast: false, emit)
        }
        if let joined = parts.add(part, at: start) {
            append(joined, isLast: true, emit)
        }
    }

    private mutating func append(
        _ line: ContainerParts.Joined,
        isLast: Bool,
        _ emit: (inout RecordBuffer, Location) -> Void
    ) {
        record.removeAll()
        record.time = line.time
        record.append("stream", line.isError ? "stderr" : "stdout", .plain)
        record.append(RecordFormat.textName, line.text)
        if line.isTruncated {
            record.append(Self.truncatedName, "true".utf8, .literal)
        }
        if !line.isWhole {
            record.append("partial", "true", .literal)
        }
        // An unfinished line comes again as long as its last part is read again.
        let completion = line.isWhole ? lineStart : line.last
        let location = self.location(ofRecordAt: self.line, start: line.start, isLast: isLast, completion: completion)
        emit(&record, location)
    }

    /// The location of a record that the line before `offset` completed, or that at `completion`; `isLast` when no other comes
    /// from the line before `offset`, else those come again from `restart`, or from that line.
    private mutating func location(
        ofRecordAt line: Int,
        start: UInt64,
        isLast: Bool,
        completion: UInt64? = nil,
        restart: UInt64? = nil
    ) -> Location {
        completed.append(completion ?? lineStart)
        let end = min(heldStart ?? .max, isLast ? offset : restart ?? lineStart)
        completed.removeAll { $0 < end }
        return Location(line: line, start: start, end: end, skip: completed.count)
    }

    // MARK: - Records

    private mutating func parse(
        _ text: [UInt8],
        at start: UInt64,
        line: Int,
        _ emit: (inout RecordBuffer, Location) -> Void
    ) {
        text.withUnsafeBytes { parse($0, at: start, line: line, isTruncated: false, emit) }
    }

    /// Parses the texts that the last line has completed, or the end of waiting. They come again from the first.
    private mutating func parse(
        _ texts: [KataLines.Text],
        isTruncated: Bool = false,
        _ emit: (inout RecordBuffer, Location) -> Void
    ) {
        for (index, text) in texts.enumerated() {
            text.bytes.withUnsafeBytes { bytes in
                parse(
                    bytes,
                    at: text.start,
                    line: text.line,
                    isTruncated: isTruncated,
                    isLastText: index == texts.count - 1,
                    restart: texts[0].start,
                    emit
                )
            }
        }
    }

    /// Parses a text into records: several when it has several, up to a limit.
    private mutating func parse(
        _ text: UnsafeRawBufferPointer,
        at start: UInt64,
        line: Int,
        isTruncated: Bool,
        isLastText: Bool = true,
        restart: UInt64? = nil,
        _ emit: (inout RecordBuffer, Location) -> Void
    ) {
        var records = TextRecords(format, flattens: flattens, readAt: now)
        var isLast = false
        while !isLast {
            record.removeAll()
            let base = record.store(text).lowerBound
            isLast = records.parseNext(of: text, at: base, into: &record)
            record.setTime()
            if isTruncated {
                record.append(Self.truncatedName, "true".utf8, .literal)
            }
            let location = self.location(
                ofRecordAt: line,
                start: start,
                isLast: isLast && isLastText,
                // A record that the next line ends does not come again from that line.
                completion: start,
                restart: restart
            )
            emit(&record, location)
        }
    }
}
