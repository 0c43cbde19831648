// SPDX-License-Identifier: Apache-2.0

public import LogModel
import LogStore
public import TextFormats

/// A stream of a VM as a log engine knows it.
public struct FleetStream: Hashable, Sendable {
    /// The VM, as far as the engine knows it.
    public var vm: VMIdentity
    public var stream: StreamName

    public init(vm: VMIdentity, stream: StreamName) {
        self.vm = vm
        self.stream = stream
    }
}

/// A record that an output has sent to a log engine, read back from there.
///
/// The engine has the text as displayed, not the stored bytes.
public struct FleetRecord: Equatable, Sendable {
    public var stream: FleetStream
    public var id: RecordID
    /// The time that the output has given it, in nanoseconds since the Unix epoch: unique in its stream, and rising.
    public var nanoseconds: Int64
    /// The time that the store has for it.
    public var time: Timestamp
    /// A console's line as displayed, a record's message.
    public var text: [UInt8]
    /// The fields of a structured record; empty for a console's line.
    public var fields: [StructuredRecord.Field]
    public var severity: Severity?
    /// Whether the end of the line is missing.
    public var isPartial: Bool
    /// Whether the record before it in its stream is the beginning of its line, which was sent before its end was received
    /// (`RecordID.pieceEnd`).
    public var continuesPiece = false
    /// What happened; nil for a line.
    public var event: StreamEvent.Kind?

    public init(stream: FleetStream, id: RecordID, nanoseconds: Int64, time: Timestamp? = nil, text: [UInt8]) {
        self.stream = stream
        self.id = id
        self.nanoseconds = nanoseconds
        self.time = time ?? Timestamp(microseconds: nanoseconds / 1000)
        self.text = text
        fields = []
        isPartial = false
    }

    /// Whether it is a part of a line that was sent before its end was received, or the rest of one.
    public var isPiece: Bool { id.pieceEnd != nil || continuesPiece }

    /// Adds the rest of its line.
    public mutating func append(_ rest: FleetRecord) {
        text += rest.text
        isPartial = rest.isPartial
        id.pieceEnd = rest.id.pieceEnd
    }

    /// The line with its end, in the encoding of the store.
    var line: (bytes: [UInt8], encoding: StreamProperties.Encoding) {
        let end = isPartial ? [] : [Lines.feed]
        guard !fields.isEmpty else {
            return (text + end, .raw)
        }
        var record = StructuredRecord(fields)
        if record.message == nil {
            record.fields.insert(StructuredRecord.Field(Array("MESSAGE".utf8), [text]), at: 0)
        }
        if let severity, record.severity == nil {
            record.fields.append(StructuredRecord.Field("PRIORITY", String(severity.rawValue)))
        }
        return (record.encoded(nanoseconds: nanoseconds) + end, .json)
    }
}
