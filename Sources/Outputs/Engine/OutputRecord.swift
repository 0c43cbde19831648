// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Query
import TextFormats

/// The stream that a record comes from.
struct RecordOrigin: Hashable, Sendable {
    let stream: StreamID
    let vm: VMIdentity
    /// The destination's encoding of what all records of the stream have in common.
    var encoded: [UInt8] = []
    /// What the ids of its records begin with.
    fileprivate let idPrefix: String

    init(stream: StreamID, vm: VMIdentity) {
        self.stream = stream
        self.vm = vm
        idPrefix = RecordID.prefix(of: stream)
    }
}

/// A record to be encoded. Its text is valid during the call that encodes it.
struct OutputRecord {
    /// A record that stands for an event in the stream, not for a line.
    enum Event: Hashable, Sendable {
        /// Bytes were lost before they could be stored.
        case gap(GapDetail)
        /// Bytes are missing from the store: their number and the reason.
        case missing(bytes: UInt64, reason: GapReason)
        case boot(BootEvent)

        /// `gap`, `boot` or `boot-end`.
        var name: String {
            switch self {
            case .gap, .missing: "gap"
            case .boot(let event): event.isBeginning ? "boot" : "boot-end"
            }
        }

        /// What was lost: the number of bytes, nil when it is unknown, and the reason; nil when nothing was.
        var loss: (bytes: UInt64?, reason: GapReason)? {
            switch self {
            case .gap(let gap): (gap.bytes, gap.reason)
            case .missing(let bytes, let reason): (bytes, reason)
            case .boot: nil
            }
        }

        /// The event as a message.
        var message: String {
            switch self {
            case .gap(let gap): gap.reason.message(losing: gap.bytes, lines: gap.lines)
            case .missing(let bytes, let reason): reason.message(losing: bytes)
            case .boot(let event): event.isBeginning ? "boot (\(event.name))" : "end of boot (\(event.name))"
            }
        }
    }

    let origin: RecordOrigin
    let position: Cursor
    /// Its stable id, a `RecordID` as text.
    let id: String
    /// Nanoseconds since the Unix epoch: unique in the stream, and not decreasing while the clock is not set back.
    var time: Int64
    /// nil when the record states none.
    var severity: Severity?
    /// The time that the store has for it: `time` is another where a record states its own, and where more than a thousand
    /// lines have one time.
    var stored: Timestamp
    /// What a person reads: a console's line as displayed, a record's message. Any bytes.
    var text: UnsafeRawBufferPointer
    /// The fields of a structured record.
    var fields: StructuredRecord?
    /// Whether the end of the line is missing.
    var isPartial = false
    /// Whether it continues the line of the record before it in its stream.
    var continuesPart = false
    /// Whether that was a piece, sent before its end was received: then both are one line of the store.
    var continuesPiece = false
    let event: Event?

    /// A record at `position`, or an event there. A piece of a line that is sent before its rest ends at `pieceEnd`, and has
    /// an id of its own.
    init(
        _ origin: RecordOrigin,
        at position: Cursor,
        pieceEnd: UInt64? = nil,
        event: Event? = nil,
        time: Int64,
        stored: Timestamp,
        text: UnsafeRawBufferPointer
    ) {
        self.origin = origin
        self.position = position
        id = origin.idPrefix + RecordID.suffix(position, pieceEnd: pieceEnd, isEvent: event != nil)
        self.event = event
        self.time = time
        self.stored = stored
        self.text = text
    }

    /// A time of the store in nanoseconds since the Unix epoch.
    static func nanoseconds(_ time: Timestamp) -> Int64 {
        let (product, overflow) = time.microseconds.multipliedReportingOverflow(by: 1000)
        return overflow ? 0 : max(0, product)
    }

    /// The severity, informational when the record states none; a gap is a warning.
    var effectiveSeverity: Severity {
        event?.loss != nil ? .warning : severity ?? .informational
    }
}
