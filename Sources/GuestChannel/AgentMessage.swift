// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// What an agent sends: the message `FromAgent` of docs/guest_channel.proto.
public enum AgentMessage: Equatable, Sendable {
    case hello(Hello)
    case records([GuestRecord])

    /// The beginning of a conversation.
    public struct Hello: Equatable, Sendable {
        /// The version of the protocol.
        public var version = GuestChannelVersion.current
        /// Identifies the session: 16 random bytes.
        public var session: SessionID
        /// The number up to which the agent knows its records to be stored.
        public var acknowledged: UInt64 = 0
        /// The program and its version, for messages.
        public var program = ""
        /// The guest's boot id (/proc/sys/kernel/random/boot_id), 16 bytes; empty when it is unknown.
        public var boot: [UInt8] = []

        public init(session: SessionID, acknowledged: UInt64 = 0, program: String = "", boot: [UInt8] = []) {
            self.session = session
            self.acknowledged = acknowledged
            self.program = program
            self.boot = boot
        }
    }

    /// Maximum number of records in a message.
    static let recordLimit = 4096

    public var encoded: [UInt8] {
        switch self {
        case .hello(let hello):
            var out: [UInt8] = []
            ProtobufWriter.append(1, to: &out) { inner in
                ProtobufWriter.append(1, nonzero: hello.version, to: &inner)
                ProtobufWriter.append(2, nonempty: hello.session.bytes, to: &inner)
                ProtobufWriter.append(3, nonzero: hello.acknowledged, to: &inner)
                ProtobufWriter.append(4, nonempty: hello.program.utf8, to: &inner)
                ProtobufWriter.append(5, nonempty: hello.boot, to: &inner)
            }
            return out
        case .records(let records):
            return Self.encode(records.lazy.map(\.encoded))
        }
    }

    /// A message with encoded records.
    static func encode(_ records: some Sequence<[UInt8]>) -> [UInt8] {
        var out: [UInt8] = []
        ProtobufWriter.append(2, to: &out) { inner in
            for record in records {
                ProtobufWriter.append(1, bytes: record, to: &inner)
            }
        }
        return out
    }

    public init(decoding payload: [UInt8]) throws(GuestChannelError) {
        self = try Self.decode(payload)
    }
}

extension AgentMessage: ChannelMessage {
    static let absence = "neither a hello nor records"

    init?(field number: UInt64, _ contents: UnsafeRawBufferPointer) throws(GuestChannelError) {
        switch number {
        case 1: self = .hello(try Hello(decoding: contents))
        case 2: self = .records(try GuestRecord.list(decoding: contents))
        default: return nil
        }
    }
}

extension AgentMessage.Hello {
    init(decoding bytes: UnsafeRawBufferPointer) throws(GuestChannelError) {
        var reader = ProtobufReader(bytes)
        var session: SessionID?
        self.init(session: SessionID(0, 0))
        version = 0
        while let (field, value) = try reader.field() {
            switch field {
            case 1: version = value.number
            case 2: session = SessionID(value.bytes)
            case 3: acknowledged = value.number
            case 4: program = String(decoding: value.bytes.prefix(Self.longestProgram), as: UTF8.self)
            case 5: boot = Array(value.bytes.prefix(Self.bootSize))
            default: break
            }
        }
        guard version == GuestChannelVersion.current else {
            throw .version(version)
        }
        guard let session else {
            throw .malformed("a session is identified by 16 bytes")
        }
        self.session = session
    }

    private static let longestProgram = 64
    private static let bootSize = 16
}

extension GuestRecord {
    /// Decodes `LogRequest`, which is ChromeOS's message of that name: a list of records.
    public static func list(decoding bytes: UnsafeRawBufferPointer) throws(GuestChannelError) -> [GuestRecord] {
        var records: [GuestRecord] = []
        var reader = ProtobufReader(bytes)
        while let (field, value) = try reader.field() {
            guard field == 1 else {
                continue
            }
            guard records.count < AgentMessage.recordLimit else {
                throw .malformed("more than \(AgentMessage.recordLimit) records in one message")
            }
            records.append(try GuestRecord(decoding: value.bytes))
        }
        return records
    }
}

/// The versions of the protocol.
public enum GuestChannelVersion {
    public static let current: UInt64 = 1
}

/// Identifies a session of an agent, or another sequence of numbered records: 16 bytes.
public struct SessionID: Hashable, Sendable {
    private var high: UInt64
    private var low: UInt64

    public init(_ high: UInt64, _ low: UInt64) {
        (self.high, self.low) = (high, low)
    }

    /// nil when `bytes` are not 16.
    public init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.size else {
            return nil
        }
        high = bytes.prefix(8).bigEndian
        low = bytes.dropFirst(8).bigEndian
    }

    public static let size = 16

    public var bytes: [UInt8] { [UInt8](bigEndian: high) + [UInt8](bigEndian: low) }
}
