import LogStore

/// What is wrong with a configuration file, and where.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file.
    public var file: String
    /// The line, from 1; nil when the whole file is meant.
    public var line: Int?
    /// What is wrong, and what would be right.
    public var message: String

    public var description: String {
        line.map { "\(file):\($0): \(message)" } ?? "\(file): \(message)"
    }
}

extension ConfigurationError {
    /// What a configuration file holds.
    static func text(of file: String) throws(ConfigurationError) -> String {
        do {
            let stored = try StoredFile(file, .read, on: LinuxFileSystem())
            return String(decoding: try stored.read(at: 0, count: stored.size), as: UTF8.self)
        } catch {
            throw ConfigurationError(file: file, line: nil, message: "cannot be read: \(error)")
        }
    }
}
