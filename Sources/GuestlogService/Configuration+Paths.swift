// SPDX-License-Identifier: Apache-2.0

extension Configuration {
    /// The store and the socket that `file` names, for commands that need nothing else of it, and the file's first error.
    ///
    /// An error elsewhere in the file does not keep anybody from reading a log. Where the file names paths that cannot be
    /// read, they are nil: a command must not use another store instead.
    ///
    /// Throws when the file cannot be read at all.
    public static func paths(
        in file: String
    ) throws(ConfigurationError) -> (paths: ReaderPaths?, error: ConfigurationError?) {
        paths(in: try ConfigurationError.text(of: file), of: file)
    }

    static func paths(in text: String, of file: String) -> (paths: ReaderPaths?, error: ConfigurationError?) {
        do throws(ConfigurationError) {
            return (ReaderPaths(try Configuration(file: file, text: text)), nil)
        } catch {
            return (try? paths(despiteErrorsIn: text, of: file), error)
        }
    }

    private static func paths(
        despiteErrorsIn text: String,
        of file: String
    ) throws(ConfigurationError) -> ReaderPaths {
        let top: ConfigurationReader
        if let whole = try? ConfigurationReader(file: file, text: text) {
            top = whole
        } else {
            top = try ConfigurationReader(file: file, text: try pathLines(of: text, file))
        }
        for key in pathKeys where top.contains(key) {
            guard try top.text(key) != nil else {
                throw ConfigurationError(file: file, line: nil, message: "\(key) has no value")
            }
        }
        var configuration = Configuration()
        try configuration.readPaths(top)
        return ReaderPaths(configuration)
    }

    private static let pathKeys = ["store", "runtime", "socket"]

    /// The lines that begin with a key of `readPaths`: the rest of the text need not be YAML. Throws where a key does not
    /// begin a line: in a mapping that is indented or in braces.
    private static func pathLines(of text: String, _ file: String) throws(ConfigurationError) -> String {
        let lines = text.drop { $0 == "\u{feff}" }.split(whereSeparator: \.isNewline)
        let first = lines.first { line in
            let content = line.drop { $0.isWhitespace }
            return !content.isEmpty && !content.hasPrefix("#") && !content.hasPrefix("---")
        }
        if let first, first.first == "{" || first.first?.isWhitespace == true {
            throw ConfigurationError(file: file, line: nil, message: "is not a mapping of keys that begin lines")
        }
        return lines.filter { line in
            pathKeys.contains(line.prefix { $0 != ":" }.filter { !"\"' ".contains($0) }) && line.first != " "
        }.joined(separator: "\n")
    }
}

/// Where a command that reads finds the store, and the daemon.
public struct ReaderPaths: Hashable, Sendable {
    /// The store's folder.
    public var store: String
    /// The daemon's socket.
    public var socket: String

    /// Those of `configuration`.
    public init(_ configuration: Configuration = Configuration()) {
        (store, socket) = (configuration.store, configuration.socket)
    }
}
