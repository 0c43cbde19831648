// SPDX-License-Identifier: Apache-2.0

import CBytes
public import LogModel
import TextFormats

/// A record of a guest's log: the message `LogRecord` of docs/guest_channel.proto.
///
/// Its fields 1, 2 and 5 are those of ChromeOS's `vm_tools.LogRecord`.
public struct GuestRecord: Equatable, Sendable {
    /// Where in the guest it comes from.
    public enum Source: UInt64, Sendable, CaseIterable {
        case unknown = 0
        /// Received on the syslog socket.
        case syslog = 1
        /// Read from /dev/kmsg.
        case kernel = 2
        /// Read from the guest's journal.
        case journal = 3
        /// The agent's own.
        case agent = 4
    }

    public struct Field: Equatable, Sendable {
        public var name: [UInt8]
        public var value: [UInt8]

        public init(_ name: [UInt8], _ value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// nil when the sender gives none.
    public var severity: Severity?
    /// In nanoseconds since the Unix epoch, by the guest's clock; nil when there is none, or it is out of range.
    public var time: Int64?
    public var content: [UInt8]
    /// Its number in the agent's session, from 1; 0 in ChromeOS's protocol.
    public var sequence: UInt64 = 0
    public var source: Source
    public var facility: UInt8?
    public var hostname: [UInt8] = []
    public var tag: [UInt8] = []
    public var process: [UInt8] = []
    public var messageID: [UInt8] = []
    /// The number of the kernel's record.
    public var kernelSequence: UInt64?
    /// Microseconds of the guest's monotonic clock; 0: unknown.
    public var monotonic: UInt64 = 0
    /// Further fields.
    public var fields: [Field] = []
    /// In place of a message: so many records of the source were lost before the agent could read them.
    public var lost: UInt64 = 0
    /// Whether the content is not complete.
    public var isTruncated = false

    public init(
        severity: Severity? = nil,
        time: Int64? = nil,
        content: [UInt8] = [],
        source: Source = .unknown,
        facility: UInt8? = nil
    ) {
        self.severity = severity
        self.time = time
        self.content = content
        self.source = source
        self.facility = facility
    }

    /// Maximum size of an encoded record, in bytes: a syslog datagram of 64 KiB and its fields.
    static let limit = 80 << 10
    /// Maximum number of further fields.
    public static let fieldLimit = 64
}

// MARK: - Encoding

extension GuestRecord {
    private enum Number {
        static let severity: UInt64 = 1
        static let timestamp: UInt64 = 2
        static let content: UInt64 = 5
        static let sequence: UInt64 = 6
        static let source: UInt64 = 7
        static let facility: UInt64 = 8
        static let hostname: UInt64 = 9
        static let tag: UInt64 = 10
        static let process: UInt64 = 11
        static let messageID: UInt64 = 12
        static let kernelSequence: UInt64 = 13
        static let monotonic: UInt64 = 14
        static let field: UInt64 = 15
        static let lost: UInt64 = 16
        static let truncated: UInt64 = 17
    }

    /// The encoded message.
    var encoded: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(content.count + 64)
        // 0 is an absent severity.
        ProtobufWriter.append(Number.severity, nonzero: severity.map { UInt64($0.rawValue) + 1 } ?? 0, to: &out)
        if let time {
            ProtobufWriter.append(Number.timestamp, to: &out) { Self.append(time, to: &$0) }
        }
        ProtobufWriter.append(Number.content, nonempty: content, to: &out)
        ProtobufWriter.append(Number.sequence, nonzero: sequence, to: &out)
        ProtobufWriter.append(Number.source, nonzero: source.rawValue, to: &out)
        if let facility {
            ProtobufWriter.append(Number.facility, varint: UInt64(facility), to: &out)
        }
        ProtobufWriter.append(Number.hostname, nonempty: hostname, to: &out)
        ProtobufWriter.append(Number.tag, nonempty: tag, to: &out)
        ProtobufWriter.append(Number.process, nonempty: process, to: &out)
        ProtobufWriter.append(Number.messageID, nonempty: messageID, to: &out)
        if let kernelSequence {
            ProtobufWriter.append(Number.kernelSequence, varint: kernelSequence, to: &out)
        }
        ProtobufWriter.append(Number.monotonic, nonzero: monotonic, to: &out)
        for field in fields {
            ProtobufWriter.append(Number.field, to: &out) { inner in
                ProtobufWriter.append(1, nonempty: field.name, to: &inner)
                ProtobufWriter.append(2, nonempty: field.value, to: &inner)
            }
        }
        ProtobufWriter.append(Number.lost, nonzero: lost, to: &out)
        ProtobufWriter.append(Number.truncated, nonzero: isTruncated ? 1 : 0, to: &out)
        return out
    }

    /// Decodes a message; unknown fields are skipped. Throws when it is malformed, or has more than `fieldLimit` fields.
    public init(decoding bytes: UnsafeRawBufferPointer) throws(GuestChannelError) {
        self.init()
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.field() {
            switch field {
            // An unknown severity counts as no severity, as in ChromeOS's forwarder.
            case Number.severity:
                severity = (1...8).contains(value.number) ? Severity(rawValue: UInt8(value.number - 1)) : nil
            case Number.timestamp: time = try Self.time(value.bytes)
            case Number.content: content = Array(value.bytes)
            case Number.sequence: sequence = value.number
            case Number.source: source = Source(rawValue: value.number) ?? .unknown
            case Number.facility: facility = UInt8(exactly: value.number)
            case Number.hostname: hostname = Array(value.bytes)
            case Number.tag: tag = Array(value.bytes)
            case Number.process: process = Array(value.bytes)
            case Number.messageID: messageID = Array(value.bytes)
            case Number.kernelSequence: kernelSequence = value.number
            case Number.monotonic: monotonic = value.number
            case Number.field:
                guard fields.count < Self.fieldLimit else {
                    throw .malformed("a record has more than \(Self.fieldLimit) fields")
                }
                fields.append(try Self.field(value.bytes))
            case Number.lost: lost = value.number
            case Number.truncated: isTruncated = value.number != 0
            default: break
            }
        }
    }

    private static let billion: Int64 = 1_000_000_000

    private static func append(_ time: Int64, to out: inout [UInt8]) {
        let (quotient, remainder) = time.quotientAndRemainder(dividingBy: billion)
        // The nanoseconds are not negative, also before the epoch.
        let isBefore = remainder < 0
        ProtobufWriter.append(1, nonzero: UInt64(bitPattern: isBefore ? quotient - 1 : quotient), to: &out)
        ProtobufWriter.append(2, nonzero: UInt64(isBefore ? remainder + billion : remainder), to: &out)
    }

    /// A `Timestamp` in nanoseconds; nil when it is out of range.
    private static func time(_ bytes: UnsafeRawBufferPointer) throws(GuestChannelError) -> Int64? {
        var (seconds, nanoseconds): (Int64, Int64) = (0, 0)
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.field() {
            switch field {
            case 1: seconds = Int64(bitPattern: value.number)
            case 2: nanoseconds = Int64(Int32(truncatingIfNeeded: value.number))
            default: break
            }
        }
        guard (0..<billion).contains(nanoseconds) else {
            return nil
        }
        // Before the epoch the whole seconds can be out of range, though the sum is not.
        let isBefore = seconds < 0
        let (scaled, overflow) = (isBefore ? seconds + 1 : seconds).multipliedReportingOverflow(by: billion)
        let (sum, carry) = scaled.addingReportingOverflow(isBefore ? nanoseconds - billion : nanoseconds)
        return overflow || carry ? nil : sum
    }

    private static func field(_ bytes: UnsafeRawBufferPointer) throws(GuestChannelError) -> Field {
        var field = Field([], [])
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.field() {
            switch number {
            case 1: field.name = Array(value.bytes)
            case 2: field.value = Array(value.bytes)
            default: break
            }
        }
        return field
    }
}

// MARK: - Check

extension GuestRecord {
    /// Distinguishes the record from another of the same number: the CRC-32C of its content, its time, its monotonic time
    /// and its kernel's number, each of them in 8 bytes, big-endian, and 0 when it is absent.
    public var check: UInt32 {
        var bytes = [UInt8](bigEndian: UInt64(bitPattern: time ?? 0))
        bytes.append(contentsOf: [UInt8](bigEndian: monotonic))
        bytes.append(contentsOf: [UInt8](bigEndian: kernelSequence ?? 0))
        return gl_crc32c(gl_crc32c(0, content, content.count), bytes, bytes.count)
    }
}
