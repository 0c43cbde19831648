// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import LogStore
public import TextFormats

/// The stream that a record comes from.
public struct RecordOrigin: Hashable, Sendable {
    public let stream: StreamID
    public let vm: VMIdentity
    /// The destination's encoding of what all records of the stream have in common.
    public internal(set) var encoded: [UInt8] = []

    public init(stream: StreamID, vm: VMIdentity) {
        self.stream = stream
        self.vm = vm
    }
}

/// A record to be encoded. Its text is valid during the call that encodes it.
public struct OutputRecord {
    /// A record that stands for an event in the stream, not for a line.
    public enum Event: Hashable, Sendable {
        /// Bytes are missing here: their number, nil when it is unknown, and the reason.
        case gap(bytes: UInt64?, reason: GapReason)
        case boot(BootEvent)

        /// `gap`, `boot` or `boot-end`.
        public var name: String {
            switch self {
            case .gap: "gap"
            case .boot(let event): event.isBeginning ? "boot" : "boot-end"
            }
        }

        /// The event in words.
        public var words: String {
            switch self {
            case .gap(let bytes, let reason):
                (bytes.map { "\($0) bytes" } ?? "an unknown number of bytes") + " lost: \(reason.words)"
            case .boot(let event): event.isBeginning ? "boot (\(event.name))" : "end of boot (\(event.name))"
            }
        }
    }

    public var origin: RecordOrigin
    public var position: Cursor
    /// The end of a piece of a line that was sent before its rest; such a piece has an id of its own.
    public var pieceEnd: UInt64?
    /// Nanoseconds since the Unix epoch: unique in the stream, and not decreasing while the clock is not set back.
    public var time: Int64
    /// nil when the record states none.
    public var severity: Severity?
    /// What a person reads: a console's line as displayed, a record's message. Any bytes.
    public var text: UnsafeRawBufferPointer
    /// The fields of a structured record.
    public var fields: StructuredRecord?
    /// Whether the end of the line is missing.
    public var isPartial = false
    public var event: Event?

    /// `vm/stream/offset`, where the VM is named by its folder; an event's offset has the number of the marker, and the
    /// piece of a line its end: `web/console0/4096`, `web/console0/4096.1`, `web/console0/4096-4101`.
    public var id: String {
        let offset = position.offset
        let place =
            pieceEnd.map { "\(offset)-\($0)" } ?? (event == nil ? "\(offset)" : "\(offset).\(position.markers + 1)")
        return "\(origin.stream.vm)/\(origin.stream.stream)/\(place)"
    }

    /// The severity, informational when the record states none; a gap is a warning.
    public var effectiveSeverity: Severity {
        if case .gap? = event {
            return .warning
        }
        return severity ?? .informational
    }
}
