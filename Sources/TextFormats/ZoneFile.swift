// SPDX-License-Identifier: Apache-2.0

import LogModel

#if canImport(Glibc)
    import Glibc
#endif

extension LocalZone {
    /// The zone `name`: UTC, GMT, or one of the IANA time zone database, such as Europe/Berlin; nil when it is not
    /// installed. Abbreviations such as CET are not accepted: the zone's clocks differ in summer.
    init?(named name: String) {
        if ["UTC", "GMT"].contains(name.uppercased()) {
            self = .utc
            return
        }
        guard let file = ZoneFile(named: name) else {
            return nil
        }
        self.init(
            secondsEast: { file.type(at: $0).secondsEast },
            abbreviation: { file.type(at: $0).abbreviation }
        )
    }
}

/// A time zone as the file format TZif has it (RFC 9636): the moments at which its clocks change, and the rule after the
/// last of them.
struct ZoneFile: Sendable {
    struct LocalType: Sendable {
        var secondsEast: Int
        var abbreviation: String
    }

    private var changes: [(second: Int64, type: Int)] = []
    private var types: [LocalType] = []
    private var rule: ZoneRule?

    private static let folder = "/usr/share/zoneinfo/"
    private static let sizeLimit = 1 << 20

    init?(named name: String) {
        let isPlain = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/_-+".contains($0)) }
        // An abbreviation has capital letters only.
        let isAbbreviation = !name.contains("/") && name == name.uppercased()
        // Files in `right` count leap seconds, which timestamps do not.
        guard isPlain, !name.hasPrefix("/"), !name.hasPrefix("right/"), !isAbbreviation,
            let bytes = Self.contents(of: Self.folder + name)
        else {
            return nil
        }
        self.init(bytes)
    }

    private static func contents(of path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            return nil
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16 << 10)
        while case let count = read(file, &piece, piece.count), count != 0 {
            guard count > 0, bytes.count + count <= sizeLimit else {
                return nil
            }
            bytes += piece[..<count]
        }
        return bytes
    }

    /// Parses a file of version 2 or later: a block with times of 32 bits, then the same with 64 bits, then the rule.
    init?(_ bytes: [UInt8]) {
        let headerSize = 44
        func number(_ offset: Int, _ size: Int) -> Int64 {
            let value = bytes[offset..<offset + size].reduce(into: UInt64(0)) { $0 = $0 << 8 | UInt64($1) }
            return size == 4 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(bitPattern: value)
        }
        func header(_ start: Int) -> [Int]? {
            guard start + headerSize <= bytes.count, bytes[start..<start + 4].elementsEqual("TZif".utf8),
                bytes[start + 4] >= UInt8(ascii: "2")
            else {
                return nil
            }
            // Of the UT/local and the standard/wall indicators, leap seconds, times, types, and abbreviations' bytes.
            let counts = (0..<6).map { Int(number(start + 20 + 4 * $0, 4)) }
            return counts.allSatisfy { (0...bytes.count).contains($0) } ? counts : nil
        }
        func length(_ counts: [Int], timeSize: Int) -> Int {
            counts[3] * (timeSize + 1) + counts[4] * 6 + counts[5] + counts[2] * (timeSize + 4) + counts[1] + counts[0]
        }
        guard let first = header(0), case let second = headerSize + length(first, timeSize: 4),
            let counts = header(second), counts[4] > 0,
            case let end = second + headerSize + length(counts, timeSize: 8), end <= bytes.count
        else {
            return nil
        }
        let times = second + headerSize
        let indexes = times + counts[3] * 8
        let typesStart = indexes + counts[3]
        let names = typesStart + counts[4] * 6
        for index in 0..<counts[4] {
            let start = typesStart + index * 6
            let name = bytes[min(names + Int(bytes[start + 5]), end)..<end].prefix { $0 != 0 }
            types.append(
                LocalType(secondsEast: Int(number(start, 4)), abbreviation: String(decoding: name, as: UTF8.self))
            )
        }
        for index in 0..<counts[3] {
            let type = Int(bytes[indexes + index])
            guard type < types.count else {
                return nil
            }
            changes.append((number(times + index * 8, 8), type))
        }
        let footer = bytes[end...].drop { $0 == UInt8(ascii: "\n") }.prefix { $0 != UInt8(ascii: "\n") }
        rule = ZoneRule(String(decoding: footer, as: UTF8.self))
    }

    /// What clocks show at `second` of the Unix epoch.
    func type(at second: Int64) -> LocalType {
        guard let last = changes.last, second < last.second else {
            return rule?.type(at: second) ?? types[changes.last?.type ?? 0]
        }
        var (low, high) = (0, changes.count)
        while low < high {
            let middle = (low + high) / 2
            (low, high) = changes[middle].second <= second ? (middle + 1, high) : (low, middle)
        }
        // Before the first change the first type holds (RFC 9636, section 3.2).
        return types[low == 0 ? 0 : changes[low - 1].type]
    }
}
