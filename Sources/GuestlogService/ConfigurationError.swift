// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import Yams

/// An error in a configuration file.
public struct ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    public var file: String
    /// The line, from 1; nil for an error about the whole file.
    public var line: Int?
    /// What is wrong and how to correct it.
    public var message: String
    /// The key that it is about, with its sections; nil when it is about none.
    var key: String?
    /// The other errors of the file, by line.
    var others: [ConfigurationError] = []

    /// An error in `line` of `file`.
    init(file: String, line: Int?, message: String) {
        (self.file, self.line, self.message) = (file, line, message)
    }

    /// All errors of the file, as far as they do not depend on one another, by line.
    public var all: [ConfigurationError] {
        var first = self
        first.others = []
        return [first] + others
    }

    public var description: String {
        line.map { "\(file):\($0): \(message)" } ?? "\(file): \(message)"
    }
}

extension ConfigurationError {
    /// The parser's error, with its line.
    init(file: String, text: String, _ error: YamlError) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            let remedy = Self.remedies.first { problem.contains($0.problem) }.map { "; \($0.remedy)" } ?? ""
            self.init(file: file, line: mark.line, message: "is not YAML: \(problem)\(remedy)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.sorted().joined(separator: ", ")
            let first = context.mark
            let second = Self.nextLine(of: duplicates.sorted()[0], after: first, in: text)
            self.init(
                file: file,
                line: second ?? first.line,
                message: "a key is given twice in one mapping, first in line \(first.line): \(keys)"
            )
        default:
            self.init(file: file, line: nil, message: "is not YAML: \(error)")
        }
    }

    /// What to do about the parser's errors that do not tell it.
    private static let remedies = [
        (
            problem: "expected <document start>",
            remedy: "a line above has a value without a key, such as {}: remove it"
        ),
        (problem: "found another document", remedy: "the file is one document: remove the line ---"),
        (
            problem: "cannot start any token",
            remedy: "indent with spaces, not tabs, and quote a value that begins with @ or %"
        ),
        (problem: "expected alphabetic or numeric", remedy: "quote a value that begins with * or &, such as '*'"),
    ]

    /// The line after that of `mark` in which `key` is in the same column; nil where a mapping is written in one line.
    private static func nextLine(of key: String, after mark: Mark, in text: String) -> Int? {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.indices.dropFirst(mark.line).first { number in
            let start = lines[number].prefix(mark.column - 1)
            return start.allSatisfy { $0 == " " || $0 == "-" } && start.count == mark.column - 1
                && ["", "'", "\""].contains { lines[number].dropFirst(start.count).hasPrefix($0 + key + $0 + ":") }
        }.map { $0 + 1 }
    }

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
                    throw SystemError("read", file, code: EFBIG, reason: "it has more than \(sizeLimit) bytes")
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            throw ConfigurationError(file: file, line: nil, message: "cannot be read: \(error)")
        }
    }
}
