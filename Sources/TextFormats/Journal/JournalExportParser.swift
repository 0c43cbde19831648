// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Parses the Journal Export Format (systemd.io/JOURNAL_EXPORT_FORMATS) from a stream, in pieces of any size.
///
/// A field is `NAME=VALUE` and a line feed, or `NAME`, a line feed, the value's size as a 64-bit little-endian number,
/// the value, and a line feed. An empty line ends an entry. The memory in use is limited whatever the sender claims:
/// what exceeds the limits is read and omitted, and the entry is flagged. A field with an invalid name is omitted too.
public struct JournalExportParser: Sendable {
    /// The limits of one entry.
    public struct Limits: Sendable {
        /// Bytes of all names and values that are kept.
        public var entry = 3 << 19
        /// Number of fields that are kept.
        public var fields = 1024
        /// The largest value that is read over. A larger size is taken for a broken stream.
        public var value = 1 << 30

        public init() {}
    }

    public enum Event: Equatable, Sendable {
        case entry(JournalEntry)
        /// An entry was omitted, because it has this fault and no field before it.
        case fault(JournalExportFault)
    }

    private enum State {
        /// At the beginning of a line.
        case line
        /// In a line whose beginning was taken or omitted already.
        case restOfLine
        /// Before the size of the value of this field; nil: of one that is omitted, because its name is none.
        case size([UInt8]?)
        /// In a value of which as many bytes follow.
        case value(name: [UInt8]?, kept: [UInt8], left: Int)
        /// Before the line feed that follows a value.
        case afterValue
        /// After a fault, up to an empty line.
        case skipping
    }

    private let limits: Limits
    private var state = State.line
    private var buffer: [UInt8] = []
    private var start = 0
    /// Where the search for a line's end continues.
    private var searched = 0
    private var entry = JournalEntry()
    private var size = 0
    /// Whether the entry that has begun has a field with a name, kept or counted only.
    private var hasField = false
    /// Whether entries that begin from now on are counted only, which takes a fraction of the work.
    public var omitsEntries = false
    /// Whether the entry that has begun is counted only; nil between entries.
    private var omitsEntry: Bool?
    private var omitted = (entries: 0, bytes: 0)

    /// Maximum length of a field's name (systemd's own limit).
    private static let longestName = 64
    private static let lineFeed: UInt8 = 0x0a

    public init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Adds bytes of the stream.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if start > 0 {
            buffer.removeFirst(start)
            searched = max(0, searched - start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The memory of the entry that has begun, in bytes.
    public var memory: Int {
        let kept = if case .value(_, let kept, _) = state { kept.count } else { 0 }
        return buffer.count + size + kept + entry.fields.count * Self.fieldOverhead
    }

    /// The memory of a field besides its name and its value.
    private static let fieldOverhead = 128

    /// The entries that were counted only and have ended since the last call, and the bytes of their fields.
    public mutating func takeOmitted() -> (entries: Int, bytes: Int) {
        guard omitted.entries > 0 else {
            return (0, 0)
        }
        defer { omitted = (0, 0) }
        return omitted
    }

    /// The next entry or fault; nil when more bytes are needed. Throws when the stream cannot be parsed any further.
    public mutating func next() throws(JournalExportFault) -> Event? {
        while true {
            switch state {
            case .line:
                guard let line = takeLine() else {
                    return nil
                }
                if let event = parse(line) {
                    return event
                }
            case .restOfLine:
                guard skipLine() else {
                    return nil
                }
                state = .line
            case .size(let name):
                guard try readSize(name) else {
                    return nil
                }
            case .value(let name, var kept, let left):
                // Taken out of the state, so that it is appended to in place.
                state = .afterValue
                guard readValue(name, &kept, left) else {
                    return nil
                }
            case .afterValue:
                guard start < buffer.count else {
                    return nil
                }
                guard buffer[start] == Self.lineFeed else {
                    state = .skipping
                    entry.isTruncated = true
                    if let event = endEntry(.noLineFeed) {
                        return event
                    }
                    continue
                }
                start += 1
                state = .line
            case .skipping:
                guard let line = takeLine() else {
                    return nil
                }
                state = line.isEmpty ? .line : .skipping
            }
        }
    }

    /// The stream has ended. Returns the entry that it ended in, if any field of that is complete.
    public mutating func finish() -> JournalEntry? {
        defer {
            let omitted = omitted
            self = JournalExportParser(limits: limits)
            self.omitted = omitted
        }
        if omitsEntry == true, hasField {
            omitted.entries += 1
        }
        guard !entry.fields.isEmpty else {
            return nil
        }
        entry.isTruncated = true
        return entry
    }

    // MARK: - Lines

    /// The next line without its end. Of a line that is too long, as much as can be kept: `start` is then its end.
    private mutating func takeLine() -> ArraySlice<UInt8>? {
        if let end = buffer[max(start, searched)...].firstIndex(of: Self.lineFeed) {
            defer { start = end + 1 }
            return buffer[start..<end]
        }
        searched = buffer.count
        guard buffer.count - start > limits.entry + Self.longestName + 1 else {
            return nil
        }
        defer { start = buffer.count }
        return buffer[start...]
    }

    private mutating func skipLine() -> Bool {
        guard let end = buffer[start...].firstIndex(of: Self.lineFeed) else {
            start = buffer.count
            return false
        }
        start = end + 1
        return true
    }

    /// Parses a line, which has been taken.
    private mutating func parse(_ line: ArraySlice<UInt8>) -> Event? {
        let isCut = line.endIndex == start
        guard !line.isEmpty else {
            return endEntry(.badName)
        }
        omitsEntry = omitsEntry ?? omitsEntries
        let equals = line.prefix(Self.longestName + 1).firstIndex(of: UInt8(ascii: "="))
        let name = line[..<(equals ?? line.endIndex)]
        guard Self.isName(name), !isCut || equals != nil else {
            entry.isTruncated = true
            if isCut {
                state = .restOfLine
            } else if line.count <= Self.longestName, equals == nil {
                state = .size(nil)
            }
            return nil
        }
        if let equals {
            state = isCut ? .restOfLine : .line
            if omitsEntry == true {
                omitted.bytes += line.count
                hasField = true
            } else {
                entry.isTruncated = entry.isTruncated || isCut
                add(Array(name), Array(line[(equals + 1)...]))
            }
        } else {
            state = .size(Array(name))
        }
        return nil
    }

    /// Ends the entry that has begun: the event for it, if it is not counted only. Without any field it has this fault.
    private mutating func endEntry(_ fault: JournalExportFault) -> Event? {
        defer { (entry, size, omitsEntry, hasField) = (JournalEntry(), 0, nil, false) }
        guard let omitsEntry else {
            return nil
        }
        guard hasField else {
            return .fault(fault)
        }
        guard !omitsEntry else {
            omitted.entries += 1
            return nil
        }
        return .entry(entry)
    }

    /// Letters in upper case, digits and underscores; no digit first. Lower case is accepted: programs use it.
    private static func isName(_ name: ArraySlice<UInt8>) -> Bool {
        guard (1...longestName).contains(name.count), let first = name.first, !first.isDecimalDigit else {
            return false
        }
        return name.allSatisfy { byte in
            byte.isDecimalDigit || byte == UInt8(ascii: "_")
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte & 0xdf)
        }
    }

    // MARK: - Fields

    /// Reads the size of a value; false when more bytes are needed.
    private mutating func readSize(_ name: [UInt8]?) throws(JournalExportFault) -> Bool {
        guard let size = takeSize() else {
            return false
        }
        guard size <= limits.value else {
            guard name == nil else {
                throw .valueTooLong(size)
            }
            // The line before was text, such as the second line of a value that was not written as binary.
            start -= 8
            state = .line
            return true
        }
        state = .value(name: name, kept: [], left: Int(size))
        return true
    }

    /// Reads what came of a value of which `left` bytes follow; false when more bytes are needed.
    private mutating func readValue(_ name: [UInt8]?, _ kept: inout [UInt8], _ left: Int) -> Bool {
        let piece = buffer[start..<min(buffer.count, start + left)]
        if omitsEntry == true {
            omitted.bytes += piece.count
        } else if name != nil {
            let room = max(0, limits.entry - size - kept.count)
            kept.append(contentsOf: piece.prefix(room))
            entry.isTruncated = entry.isTruncated || piece.count > room
        }
        start = piece.endIndex
        guard piece.count == left else {
            state = .value(name: name, kept: kept, left: left - piece.count)
            return false
        }
        if let name {
            add(name, kept)
        }
        return true
    }

    private mutating func takeSize() -> UInt64? {
        guard buffer.count - start >= 8 else {
            return nil
        }
        defer { start += 8 }
        return buffer[start..<start + 8].littleEndian
    }

    /// Adds a field as far as the limits allow.
    private mutating func add(_ name: [UInt8], _ value: [UInt8]) {
        hasField = true
        guard omitsEntry != true else {
            return
        }
        guard entry.fields.count < limits.fields, size + name.count < limits.entry else {
            entry.isTruncated = true
            return
        }
        let kept = min(value.count, limits.entry - size - name.count)
        entry.isTruncated = entry.isTruncated || kept < value.count
        entry.fields.append(JournalEntry.Field(name, kept < value.count ? Array(value[..<kept]) : value))
        size += name.count + kept
    }
}

/// What is wrong with a stream in the Journal Export Format.
public enum JournalExportFault: Error, Hashable, CustomStringConvertible {
    /// A line begins with no field name.
    case badName
    /// A value claims that size, in bytes.
    case valueTooLong(UInt64)
    /// A value is not as long as its size field says.
    case noLineFeed

    public var description: String {
        switch self {
        case .badName: "a field's name is not 1 to 64 of A-Z, a-z, 0-9 and _"
        case .valueTooLong(let size): "a value claims \(size) bytes"
        case .noLineFeed: "a value's size field does not match its length"
        }
    }
}
