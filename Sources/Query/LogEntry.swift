// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import LogStore
import TextFormats

/// A line, or a piece of one. `bytes` is valid until its source is asked for the next entry.
public struct Line {
    /// Its beginning: the position, and the number of markers there before it.
    public var start: Cursor
    /// The receive time of the record with its first byte; where a CR lets text be painted over, with the first byte
    /// that was painted last.
    public var time: Timestamp
    /// The largest time in its stream up to it.
    var latest = Timestamp.distantPast
    public var bytes: UnsafeRawBufferPointer
    /// Whether its first record was found after the index's end in a crash recovery.
    var isRecovered: Bool
    public var encoding = StreamProperties.Encoding.raw
    /// Converts a console's text to UTF-8; nil where it is that already. Its source owns it: a counted reference would
    /// make each copy of a line expensive.
    unowned(unsafe) var decoder: CharsetDecoder?
    /// Whether a console's line is known to be displayed as it is stored.
    var isPlain = false
    /// The character sets at a console's line's beginning.
    var sets = CharacterSets()
    /// How it changes those that the next line begins with; nil when that begins with the usual ones.
    var carriedSets: CharacterSets?
    /// The line before it, if a console's line moves the cursor up to that. Its source owns it.
    var above: UnsafeRawBufferPointer?

    public var end: UInt64 { start.offset + UInt64(bytes.count) }

    /// Whether it ends with LF; otherwise the rest may follow in the next piece or never.
    public var isWhole: Bool { bytes.last == Lines.feed }

    /// Why it is returned.
    public enum Role: Hashable, Sendable {
        /// It is selected.
        case selected
        /// A selected line follows it.
        case before
        /// It follows a selected line.
        case after
    }

    public internal(set) var role = Role.selected

    /// Whether lines between the one returned before and it were not returned; always false where no context is.
    var followsOmission = false

    /// Whether the console's next row begins after it, without LF.
    var isCut = false

    /// Whether its row ends with it: nothing that follows belongs to it.
    public var endsRow: Bool { isWhole || isCut }

    /// The same with other bytes to be shown.
    func showing(_ bytes: UnsafeRawBufferPointer) -> Line {
        var line = self
        line.bytes = bytes
        line.isPlain = false
        line.above = nil
        return line
    }

    /// The bytes without LF and the CRs before it.
    var content: UnsafeRawBufferPointer {
        guard isWhole else {
            return bytes
        }
        var count = bytes.count - 1
        while count > 0, bytes[count - 1] == 0x0d {
            count -= 1
        }
        return UnsafeRawBufferPointer(rebasing: bytes[..<count])
    }
}

/// An event between bytes.
public struct StreamEvent: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// Bytes were lost before they could be stored.
        case gap(GapDetail)
        /// Bytes are missing from the store: their number and the reason.
        case missing(bytes: UInt64, reason: GapReason)
        case boot(BootDetail)
        /// What follows comes from that source, such as another host.
        case origin(String)
    }

    public var kind: Kind
    public var position: Cursor
    /// The position just after it.
    public var next: Cursor
    /// Its time; for a missing range, the time of what follows it.
    public var time: Timestamp

    /// Whether bytes are missing there.
    var isLoss: Bool {
        switch kind {
        case .gap, .missing: true
        case .boot, .origin: false
        }
    }

    /// Whether it ends a line: bytes are missing there, or another machine follows.
    var cutsLine: Bool {
        switch kind {
        case .gap, .missing: true
        case .boot(let boot): boot.endsLine(at: position.offset)
        case .origin: false
        }
    }
}

/// An entry of a stream.
public enum LogEntry {
    case line(Line)
    case event(StreamEvent)

    /// Whether it may belong to the context after the last selected line: a line that follows without omission, or an
    /// event, which may be inside that context.
    var isTrailing: Bool {
        switch self {
        case .line(let line): line.role != .before && !line.followsOmission
        case .event: true
        }
    }

    var time: Timestamp {
        switch self {
        case .line(let line): line.time
        case .event(let event): event.time
        }
    }
}
