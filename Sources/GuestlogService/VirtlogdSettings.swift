// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import RotatingFile
import SystemIO

/// The settings of virtlogd's configuration file that apply here (libvirt's virtlogd.conf).
///
/// The format is libvirt's: `name = value` on a line, where a value is a number, a quoted string or a list in brackets,
/// and `#` begins a comment. Unknown names are ignored, as in libvirt; values of known ones must be valid.
public struct VirtlogdSettings: Equatable, Sendable {
    /// `max_size` and `max_backups`.
    public var limits = RotationLimits.default
    /// `max_clients`.
    public var clients = 1024

    /// Maximum number of backups that libvirt allows.
    private static let maximumBackups = 32

    public init() {}

    /// Reads the settings in `file`.
    public init(file: String) throws(ConfigurationError) {
        try self.init(file: file, text: ConfigurationError.text(of: file))
    }

    /// Parses `text`; `file` is named in errors.
    public init(file: String, text: String) throws(ConfigurationError) {
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            do throws(Mistake) {
                try read(line)
            } catch {
                throw ConfigurationError(file: file, line: index + 1, message: error.message)
            }
        }
    }

    private struct Mistake: Error {
        var message: String
    }

    private mutating func read(_ line: Substring) throws(Mistake) {
        let words = line.drop { $0 == " " || $0 == "\t" }
        guard let first = words.first, first != "#" else {
            return
        }
        let name = words.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
        let rest = words.dropFirst(name.count).drop { $0 == " " || $0 == "\t" }
        guard rest.first == "=" || name.isEmpty else {
            throw Mistake(message: "'\(name)' is not followed by = and a value")
        }
        let value = rest.dropFirst().prefix { $0 != "#" }.filter { $0 != " " && $0 != "\t" }
        switch name {
        case "max_size": limits.size = try Self.number(name, value, 0...Int(Int64.max))
        case "max_backups": limits.backups = try Self.number(name, value, 0...Self.maximumBackups)
        case "max_clients": clients = try Self.number(name, value, 1...65_536)
        default: break
        }
    }

    private static func number(
        _ name: Substring,
        _ value: String,
        _ range: ClosedRange<Int>
    ) throws(Mistake) -> Int {
        guard let number = Int(value), range.contains(number) else {
            throw Mistake(
                message: "\(name) is \(value); it must be a number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }
}
