/// What every message begins with, after its length (libvirt's virnetprotocol.x, `virNetMessageHeader`).
public struct MessageHeader: Hashable, Sendable {
    /// What a message is to whom it is sent.
    public enum Kind: UInt32 {
        case call = 0
        case reply = 1
        case message = 2
        case stream = 3
        case callWithDescriptors = 4
        case replyWithDescriptors = 5
        case streamHole = 6
    }

    /// Whether it went well.
    public enum Status: UInt32 {
        case ok = 0
        case error = 1
        case `continue` = 2
    }

    /// Which protocol the message is of.
    public var program: UInt32
    /// The protocol's version.
    public var version: UInt32
    /// What is asked for, answered or told.
    public var procedure: Int32
    /// A `Kind`, if it is a known one.
    public var kind: UInt32
    /// The number of a call, which its reply repeats.
    public var serial: UInt32
    /// A `Status`, if it is a known one.
    public var status: UInt32

    /// The question whether the other side still lives, "keep" (virkeepaliveprotocol.x).
    public static let keepAlive: UInt32 = 0x6b65_6570
    /// The one version of every protocol that we speak.
    public static let version: UInt32 = 1
    /// Its question.
    public static let ping: Int32 = 1
    /// Its answer.
    public static let pong: Int32 = 2

    /// Bytes of the length that stands before it.
    public static let lengthSize = 4
    /// Bytes it takes.
    public static let size = 24
    /// Most bytes of a message, its length included (`VIR_NET_MESSAGE_MAX`, and the length's own).
    public static let maximumMessage = 33_554_432 + lengthSize

    /// A header from its parts.
    public init(program: UInt32, version: UInt32, procedure: Int32, kind: UInt32, serial: UInt32, status: UInt32) {
        self.program = program
        self.version = version
        self.procedure = procedure
        self.kind = kind
        self.serial = serial
        self.status = status
    }

    /// The header that comes next.
    public init(_ reader: inout XDRReader) throws(XDRReader.Malformed) {
        program = try reader.unsigned()
        version = try reader.unsigned()
        procedure = try reader.signed()
        kind = try reader.unsigned()
        serial = try reader.unsigned()
        status = try reader.unsigned()
    }

    /// The header of an answer to the message that has this one.
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

    /// A whole message with this header: its length, itself, `payload`.
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
