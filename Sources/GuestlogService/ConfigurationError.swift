// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// An error in a configuration file.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    public var file: String
    /// The line, from 1; nil for an error about the whole file.
    public var line: Int?
    /// What is wrong and how to correct it.
    public var message: String

    public var description: String {
        line.map { "\(file):\($0): \(message)" } ?? "\(file): \(message)"
    }
}

extension ConfigurationError {
    /// Most bytes in a configuration file.
    private static let sizeLimit = 1 << 20

    /// The contents of a configuration file: any file that can be read, through symbolic links, or a pipe.
    static func text(of file: String) throws(ConfigurationError) -> String {
        do {
            let descriptor = try PathHandle(file).open(O_RDONLY)
            let source = descriptor.raw
            var bytes: [UInt8] = []
            var piece = [UInt8](repeating: 0, count: 64 << 10)
            while case let count = try systemCall("read", file, { read(source, &piece, piece.count) }), count > 0 {
                bytes += piece[..<count]
                guard bytes.count <= sizeLimit else {
                    throw SystemError("read (larger than \(sizeLimit) bytes)", file, code: EFBIG)
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            throw ConfigurationError(file: file, line: nil, message: "cannot be read: \(error)")
        }
    }
}
