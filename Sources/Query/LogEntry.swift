// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// A line, or a piece of one. `bytes` is valid until its source is asked for the next entry.
struct Line {
    /// Its beginning: the position, and the number of markers there before it.
    var start: Cursor
    /// The receive time of the record with its first byte.
    var time: Timestamp
    var bytes: UnsafeRawBufferPointer
    /// Whether its first record was found after the index's end in a crash recovery.
    var isRecovered: Bool
    var encoding = StreamProperties.Encoding.raw

    var end: UInt64 { start.offset + UInt64(bytes.count) }

    /// Whether it ends with LF; otherwise the rest may follow in the next piece or never.
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

/// An event between bytes.
struct StreamEvent: Hashable {
    enum Kind: Hashable {
        /// Bytes were lost before they could be stored.
        case gap(GapDetail)
        /// Bytes are missing from the store: their number and the reason.
        case missing(bytes: UInt64, reason: GapReason)
        case boot(BootDetail)
    }

    var kind: Kind
    var place: Cursor
    /// The position just after it.
    var next: Cursor
    /// Its time; for a missing range, the time of what follows it.
    var time: Timestamp

    /// Whether it ends a line: bytes are missing there, or another machine follows.
    var cutsLine: Bool {
        switch kind {
        case .gap, .missing: true
        case .boot(let boot): boot.event.isByTransport
        }
    }
}

/// An entry of a stream.
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
