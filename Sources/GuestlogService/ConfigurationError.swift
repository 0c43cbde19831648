// SPDX-License-Identifier: Apache-2.0

import LogStore

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
    /// The contents of a configuration file.
    static func text(of file: String) throws(ConfigurationError) -> String {
        do {
            let stored = try StoredFile(file, .read, on: LinuxFileSystem())
            return String(decoding: try stored.read(at: 0, count: stored.size), as: UTF8.self)
        } catch {
            throw ConfigurationError(file: file, line: nil, message: "cannot be read: \(error)")
        }
    }
}
