// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The name of a file of a rotated log, in relation to the name of the live file. Names are ordered by the age of
/// their files, the oldest first.
///
/// Known are virtlogd's names (`.0` newest), logrotate's (`.1` newest; `-20261129`, with `dateext`) and the kubelet's
/// (`.20261129-120000`); each may have the extension of a compressed file.
public struct RotatedName: Hashable, Comparable {
    private enum Age: Hashable {
        case dated([UInt8])
        /// A larger number is older.
        case numbered(Int)
        case live
    }

    private let age: Age
    let isCompressed: Bool

    private static let compressions = [".gz", ".xz", ".zst", ".bz2", ".lz4"].map { Array($0.utf8) }
    /// A longer number is a date.
    private static let longestNumber = 4
    private static let shortestDate = 8

    /// nil when `name` belongs to no file of the log.
    init?(_ name: some RandomAccessCollection<UInt8>, live: some Collection<UInt8>) {
        guard name.starts(with: live) else {
            return nil
        }
        var suffix = name.dropFirst(live.count)
        guard let separator = suffix.first else {
            age = .live
            isCompressed = false
            return
        }
        let compression = Self.compressions.first {
            $0.count < suffix.count && suffix.suffix($0.count).elementsEqual($0)
        }
        isCompressed = compression != nil
        suffix = suffix.dropFirst().dropLast(compression?.count ?? 0)
        guard let first = suffix.first, first.isDecimalDigit else {
            return nil
        }
        if suffix.count <= Self.longestNumber {
            guard separator == UInt8(ascii: "."), suffix.allSatisfy(\.isDecimalDigit) else {
                return nil
            }
            age = .numbered(suffix.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) })
            return
        }
        let isDatePart = { (byte: UInt8) in byte.isDecimalDigit || "-.T_:Z+".utf8.contains(byte) }
        guard separator == UInt8(ascii: ".") || separator == UInt8(ascii: "-"),
            suffix.count(where: \.isDecimalDigit) >= Self.shortestDate, suffix.allSatisfy(isDatePart)
        else {
            return nil
        }
        age = .dated(Array(suffix))
    }

    var isLive: Bool { age == .live }

    /// Whether a follower of the log at `live` takes the file at `path` for a rotated one of it.
    public static func isRotated(_ path: String, of live: String) -> Bool {
        RotatedName(Array(path.utf8), live: live.utf8).map { !$0.isLive } ?? false
    }

    /// Whether the file at `path` is a compressed one, by its name.
    public static func isCompressed(_ path: String) -> Bool {
        compressions.contains { path.utf8.count > $0.count && path.utf8.suffix($0.count).elementsEqual($0) }
    }

    public static func < (left: RotatedName, right: RotatedName) -> Bool {
        switch (left.age, right.age) {
        case (.dated(let a), .dated(let b)) where a != b: a.lexicographicallyPrecedes(b)
        case (.dated, .dated): left.isCompressed && !right.isCompressed
        case (.numbered(let a), .numbered(let b)) where a != b: a > b
        case (.numbered, .numbered): left.isCompressed && !right.isCompressed
        case (.dated, _): true
        case (.numbered, .live): true
        case (.numbered, _), (.live, _): false
        }
    }
}
