// SPDX-License-Identifier: Apache-2.0

import Libvirt
import LogModel
import SystemIO

/// The VM of a log, according to libvirtd.
public struct LogOwner: Hashable, Sendable {
    public var driver: String
    public var uuid: String
    public var name: String

    public init(driver: String, uuid: String, name: String) {
        self.driver = driver
        self.uuid = uuid
        self.name = name
    }

    /// The name, cut to the store's maximum length; the UUID distinguishes VMs with the same beginning.
    var shortName: String { VMIdentity.storedName(name) }
}

/// The position in a log: a file, and an offset in it.
struct LogPosition: Hashable, Sendable {
    var inode: UInt64
    /// Bytes from its beginning.
    var offset: UInt64

    init(inode: UInt64, offset: UInt64) {
        self.inode = inode
        self.offset = offset
    }

    /// The end of the file with that status.
    init(_ status: FileAttributes) {
        self.init(inode: status.identity.inode, offset: UInt64(status.size))
    }
}

/// The calls of libvirtd (log_protocol.x): four procedures.
enum LogManagerCall: Equatable {
    /// Opens a pipe to write a log to; its file is emptied first if requested.
    case open(LogOwner, path: String, truncate: Bool)
    /// Returns the end of an open log.
    case position(path: String)
    /// Reads at most `maximum` bytes of a log from a position on.
    case read(path: String, from: LogPosition, maximum: Int)
    /// Appends a message of libvirtd's own to a log.
    case append(LogOwner, path: String, message: [UInt8])

    /// The program number of the log manager.
    static let program: UInt32 = 0x8753_9319
    /// Maximum size of a string in a message (`VIR_LOG_MANAGER_PROTOCOL_STRING_MAX`).
    static let maximumString = 4_194_304
    /// Truncates the file (`VIR_LOG_MANAGER_PROTOCOL_DOMAIN_OPEN_LOG_FILE_TRUNCATE`); other bits are undefined.
    private static let truncateFlag: UInt32 = 1

    /// Decodes the call `procedure` from `reader`, which is behind the header. Bytes after the arguments are ignored,
    /// as in libvirt.
    init(_ procedure: Int32, _ reader: inout XDRReader) throws(LogManagerError) {
        do {
            switch procedure {
            case 1: self = try Self.open(&reader)
            case 2: self = try Self.position(&reader)
            case 3: self = try Self.read(&reader)
            case 4: self = try Self.append(&reader)
            default: throw LogManagerError.rpc("unknown procedure: \(procedure)")
            }
        } catch let error as LogManagerError {
            throw error
        } catch {
            throw .rpc("Unable to decode message payload")
        }
    }

    private static func open(_ reader: inout XDRReader) throws -> Self {
        let owner = try owner(&reader)
        let path = try text(&reader, "path")
        let flags = try reader.unsigned()
        return .open(owner, path: path, truncate: flags & truncateFlag != 0)
    }

    private static func position(_ reader: inout XDRReader) throws -> Self {
        let path = try text(&reader, "path")
        try noFlags(&reader)
        return .position(path: path)
    }

    private static func read(_ reader: inout XDRReader) throws -> Self {
        let path = try text(&reader, "path")
        let start = LogPosition(inode: try reader.unsignedHyper(), offset: try reader.unsignedHyper())
        let maximum = try reader.unsignedHyper()
        try noFlags(&reader)
        guard maximum <= UInt64(maximumString) else {
            throw LogManagerError.internal("Requested data len \(maximum) is larger than maximum \(maximumString)")
        }
        return .read(path: path, from: start, maximum: Int(maximum))
    }

    private static func append(_ reader: inout XDRReader) throws -> Self {
        let owner = try owner(&reader)
        let path = try text(&reader, "path")
        let message = try reader.string(limit: maximumString)
        try noFlags(&reader)
        return .append(owner, path: path, message: message)
    }

    private static func owner(_ reader: inout XDRReader) throws -> LogOwner {
        let driver = try text(&reader, "driver")
        let uuid = try reader.uuid().description
        return LogOwner(driver: driver, uuid: uuid, name: try text(&reader, "domain's name"))
    }

    private static func text(_ reader: inout XDRReader, _ what: String) throws -> String {
        let bytes = try reader.string(limit: maximumString)
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
            throw LogManagerError.invalidArgument("the \(what) holds a NUL, or is not UTF-8")
        }
        return text
    }

    private static func noFlags(_ reader: inout XDRReader) throws {
        let flags = try reader.unsigned()
        guard flags == 0 else {
            throw LogManagerError.invalidArgument("unsupported flags (0x\(String(flags, radix: 16)))")
        }
    }
}
