/// What every message begins with, after its length (libvirt's virnetprotocol.x, `virNetMessageHeader`).
struct MessageHeader: Equatable {
    /// What a message is to whom it is sent.
    enum Kind: UInt32 {
        case call = 0
        case reply = 1
        case message = 2
        case stream = 3
        case callWithDescriptors = 4
        case replyWithDescriptors = 5
        case streamHole = 6
    }

    /// Whether it went well.
    enum Status: UInt32 {
        case ok = 0
        case error = 1
        case `continue` = 2
    }

    var program: UInt32
    var version: UInt32
    var procedure: Int32
    var kind: UInt32
    var serial: UInt32
    var status: UInt32

    /// The log manager (log_protocol.x).
    static let logManager: UInt32 = 0x8753_9319
    /// The question whether the other side still lives, "keep" (virkeepaliveprotocol.x).
    static let keepAlive: UInt32 = 0x6b65_6570
    /// The one version of either.
    static let version: UInt32 = 1
    /// `PING` and `PONG` of the latter.
    static let ping: Int32 = 1
    static let pong: Int32 = 2

    /// Bytes of the length that stands before it.
    static let lengthSize = 4
    /// Bytes it takes.
    static let size = 24
    /// Most bytes of a message, its length included (`VIR_NET_MESSAGE_MAX`, and the length's own).
    static let maximumMessage = 33_554_432 + lengthSize

    init(program: UInt32, version: UInt32, procedure: Int32, kind: UInt32, serial: UInt32, status: UInt32) {
        self.program = program
        self.version = version
        self.procedure = procedure
        self.kind = kind
        self.serial = serial
        self.status = status
    }

    init(_ reader: inout XDRReader) throws(XDRReader.Malformed) {
        program = try reader.unsigned()
        version = try reader.unsigned()
        procedure = try reader.signed()
        kind = try reader.unsigned()
        serial = try reader.unsigned()
        status = try reader.unsigned()
    }

    /// The header of an answer to the message that has this one.
    func answer(_ kind: Kind, _ status: Status = .ok, procedure: Int32? = nil) -> MessageHeader {
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
    func message(_ payload: [UInt8] = []) -> [UInt8] {
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
