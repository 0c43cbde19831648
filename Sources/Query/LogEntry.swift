import LogModel
import LogStore

/// A line, or a piece of one. `bytes` is valid until its source is asked for the next.
struct Line {
    /// Where it begins: position, and how many markers stand there before it.
    var start: Cursor
    /// When the record that holds its first byte was received.
    var time: Timestamp
    /// Its bytes, LF included when it has one.
    var bytes: UnsafeRawBufferPointer
    /// Whether its first record was found beyond the index after a crash.
    var isRecovered: Bool

    /// Position after its last byte.
    var end: UInt64 { start.offset + UInt64(bytes.count) }

    /// Whether its LF is there; without, more may follow in the next piece or never.
    var isWhole: Bool { bytes.last == Lines.feed }

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

/// Something that happened between bytes.
struct StreamEvent: Hashable {
    enum Kind: Hashable {
        /// Bytes were lost before they could be stored.
        case gap(GapDetail)
        /// Bytes are missing from the store: so many of them, for that reason.
        case missing(bytes: UInt64, reason: GapReason)
        /// A boot begins or ends.
        case boot(BootDetail)
    }

    /// What.
    var kind: Kind
    /// Where it stands.
    var place: Cursor
    /// The place just after it.
    var next: Cursor
    /// When; of a missing stretch, the time of what follows it.
    var time: Timestamp

    /// Whether a line cannot go on beyond it: bytes between are missing, or the machine was another.
    var cutsLine: Bool {
        switch kind {
        case .gap, .missing: true
        case .boot(let boot): boot.event.isByTransport
        }
    }
}

/// What a stream holds, in order.
enum LogEntry {
    case line(Line)
    case event(StreamEvent)

    var time: Timestamp {
        switch self {
        case .line(let line): line.time
        case .event(let event): event.time
        }
    }
}
