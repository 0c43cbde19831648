// SPDX-License-Identifier: Apache-2.0

/// The header of every message, after its length (libvirt's virnetprotocol.x, `virNetMessageHeader`).
public struct MessageHeader: Hashable, Sendable {
    /// The type of a message.
    public enum Kind: UInt32 {
        case call = 0
        case reply = 1
        case message = 2
        case stream = 3
        case callWithDescriptors = 4
        case replyWithDescriptors = 5
        case streamHole = 6
    }

    /// The status of a message.
    public enum Status: UInt32 {
        case ok = 0
        case error = 1
        case `continue` = 2
    }

    /// The number of the protocol.
    public var program: UInt32
    public var version: UInt32
    /// The number of the call or event.
    public var procedure: Int32
    /// A `Kind`, if it is a known one.
    public var kind: UInt32
    /// The number of a call, repeated in its reply.
    public var serial: UInt32
    /// A `Status`, if it is a known one.
    public var status: UInt32

    /// The keepalive protocol, "keep" (virkeepaliveprotocol.x).
    public static let keepAlive: UInt32 = 0x6b65_6570
    /// The only supported version of every protocol.
    public static let version: UInt32 = 1
    /// Its request.
    public static let ping: Int32 = 1
    /// Its reply.
    public static let pong: Int32 = 2

    /// Size of the length before the header.
    static let lengthSize = 4
    static let size = 24
    /// Maximum size of a message, its length included (`VIR_NET_MESSAGE_MAX`, and the length's own).
    static let maximumMessage = 33_554_432 + lengthSize

    public init(program: UInt32, version: UInt32, procedure: Int32, kind: UInt32, serial: UInt32, status: UInt32) {
        self.program = program
        self.version = version
        self.procedure = procedure
        self.kind = kind
        self.serial = serial
        self.status = status
    }

    /// Decodes a header.
    public init(_ reader: inout XDRReader) throws(XDRReader.Malformed) {
        program = try reader.unsigned()
        version = try reader.unsigned()
        procedure = try reader.signed()
        kind = try reader.unsigned()
        serial = try reader.unsigned()
        status = try reader.unsigned()
    }

    /// The header of a reply to the message with this one.
    public func answer(_ kind: Kind, _ status: Status = .ok, procedure: Int32? = nil) -> MessageHeader {
        MessageHeader(
            program: program,
            version: version,
            procedure: procedure ?? self.procedure,
            kind: kind.rawValue,
            serial: serial,
            status: status.rawValue
        )
    }

    /// A complete message with this header: its length, itself, `payload`.
    public func message(_ payload: [UInt8] = []) -> [UInt8] {
        var writer = XDRWriter()
        writer.put(UInt32(Self.lengthSize + Self.size + payload.count))
        writer.put(program)
        writer.put(version)
        writer.put(procedure)
        writer.put(kind)
        writer.put(serial)
        writer.put(status)
        return writer.bytes + payload
    }
}
