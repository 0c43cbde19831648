// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel
import SystemIO

/// A small file of metadata: one JSON object on one line, whose last member is the CRC-32C of the text of the others. It
/// is replaced as a whole. Files of earlier versions have no checksum.
enum MetadataFile {
    private static let checksumName = "crc32c"

    enum Contents {
        case absent
        /// The metadata, and whether it matches its checksum; nil when it has none.
        case metadata(JSON, agree: Bool?)
        /// The metadata cannot be read, for this reason.
        case unreadable(String)
    }

    /// The text of the file with `members`.
    static func text(of members: [(String, JSON)]) -> [UInt8] {
        let sum = (checksumName, JSON.integer(Int64(checksum(of: members))))
        return JSON.object(members + [sum]).bytes + [Lines.feed]
    }

    private static func checksum(of members: [(String, JSON)]) -> UInt32 {
        JSON.object(members).bytes.withUnsafeBytes { gl_crc32c(0, $0.baseAddress, $0.count) }
    }

    /// The contents of the file at `path`, of at most `limit` bytes. Throws only errors that do not concern the file
    /// itself.
    static func contents(
        of path: String,
        limit: Int = LinuxFileSystem.smallFileLimit,
        on fileSystem: any FileSystem
    ) throws(SystemError) -> Contents {
        let bytes: [UInt8]?
        do throws(SystemError) {
            bytes = try fileSystem.contents(of: path, limit: limit)
        } catch {
            if error.code == SystemError.notFound {
                return .absent
            }
            guard error.isDamagedFile else {
                throw error
            }
            return .unreadable("cannot be read: \(error.reason)")
        }
        guard let bytes else {
            return .absent
        }
        guard !bytes.isEmpty else {
            return .unreadable("is empty")
        }
        guard case .object(let members)? = try? JSON(parsing: bytes) else {
            return .unreadable("is not a JSON object")
        }
        guard let last = members.last, last.0 == checksumName else {
            return .metadata(.object(members), agree: nil)
        }
        let others = Array(members.dropLast())
        return .metadata(.object(others), agree: last.1.integer == Int64(checksum(of: others)))
    }

    /// The metadata in the file at `path`, if it can be read.
    static func metadata(in path: String, on fileSystem: any FileSystem) -> JSON? {
        if case .metadata(let metadata, _)? = try? contents(of: path, on: fileSystem) {
            metadata
        } else {
            nil
        }
    }
}
