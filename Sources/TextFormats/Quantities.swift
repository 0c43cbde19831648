// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Parses durations and sizes.
public enum Quantities {
    /// The duration `word`: `90s`, `2h30m`, `1.5h`, `1d`, `7d`, `1w`, `250ms`; spelled-out units and spaces between the
    /// parts are accepted too (`2 hours 30 min`). A number without a unit is refused, because tools disagree on its
    /// meaning.
    public static func parseDuration(_ word: String) throws(WordError) -> Duration {
        guard let microseconds = microseconds(of: word) else {
            throw WordError(word: word, wanted: "a time span", accepted: "30s, 10m, 2h30m, 1.5h, 7d or 1w")
        }
        return .microseconds(microseconds)
    }

    /// The number of bytes `word`: `4096`, `500M`, `10G`, `1.5GiB`.
    ///
    /// `K`, `M`, `G`, `T` are powers of 1024, as in journalctl and docker, and so are `KiB` … `TiB`; `kB`, `MB`, `GB`,
    /// `TB` are powers of 1000. Case does not matter.
    public static func parseSize(_ word: String) throws(WordError) -> Int64 {
        guard let bytes = bytes(of: word) else {
            throw WordError(word: word, wanted: "a size", accepted: "a number of bytes, or 500M, 10G, 1.5GiB")
        }
        return bytes
    }

    /// A number of bytes in the largest unit of 1024 that divides it, as `parseSize` accepts it: `100MiB`, `1000`.
    public static func size(_ bytes: Int) -> String {
        let units = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        let unit = units.first { bytes != 0 && bytes.isMultiple(of: $0.1) }
        return unit.map { "\(bytes / $0.1)\($0.0)" } ?? "\(bytes)"
    }

    /// A duration in the largest unit that divides it, as `parseDuration` accepts it: `7d`, `90s`.
    public static func duration(microseconds: Int64) -> String {
        let units: [(String, Int64)] = [
            ("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1000),
        ]
        let unit = units.first { microseconds.isMultiple(of: $0.1) }
        return unit.map { "\(microseconds / $0.1)\($0.0)" } ?? "\(microseconds)us"
    }

    /// The microseconds in `word`, or nil when it is not a duration or exceeds 64 bits.
    static func microseconds(of word: String) -> Int64? {
        var scanner = WordScanner(word)
        var total: Int64 = 0
        repeat {
            scanner.skipSpaces()
            guard let number = scanner.takeDecimal() else {
                return nil
            }
            scanner.skipSpaces()
            guard let unit = microsecondsPerUnit(scanner.takeLetters()), let part = number.scaled(by: unit) else {
                return nil
            }
            let (sum, overflow) = total.addingReportingOverflow(part)
            guard !overflow else {
                return nil
            }
            total = sum
            scanner.skipSpaces()
        } while !scanner.isAtEnd
        return total
    }

    private static func microsecondsPerUnit(_ unit: String) -> Int64? {
        switch unit {
        case "us", "µs", "usec": 1
        case "ms", "msec": 1000
        case "s", "sec", "second", "seconds": 1_000_000
        case "m", "min", "minute", "minutes": 60_000_000
        case "h", "hr", "hour", "hours": 3_600_000_000
        case "d", "day", "days": 86_400_000_000
        case "w", "week", "weeks": 604_800_000_000
        // As systemd.time(7): 30.44 and 365.25 days.
        case "month", "months": 2_629_800_000_000
        case "y", "year", "years": 31_557_600_000_000
        default: nil
        }
    }

    private static func bytes(of word: String) -> Int64? {
        var scanner = WordScanner(word)
        scanner.skipSpaces()
        // A comma may divide thousands or be a decimal point.
        guard !word.contains(","), let number = scanner.takeDecimal() else {
            return nil
        }
        scanner.skipSpaces()
        let unit = scanner.takeLetters().lowercased()
        scanner.skipSpaces()
        guard scanner.isAtEnd, let scale = bytesPerUnit(unit) else {
            return nil
        }
        // A number of bytes cannot have a fraction.
        return scale == 1 && number.hasFraction ? nil : number.scaled(by: scale)
    }

    private static func bytesPerUnit(_ unit: String) -> Int64? {
        switch unit {
        case "", "b": 1
        case "k", "kib": 1 << 10
        case "m", "mib": 1 << 20
        case "g", "gib": 1 << 30
        case "t", "tib": 1 << 40
        case "kb": 1000
        case "mb": 1_000_000
        case "gb": 1_000_000_000
        case "tb": 1_000_000_000_000
        default: nil
        }
    }
}

extension Duration {
    public var wholeMicroseconds: Int64 {
        let (seconds, attoseconds) = components
        return Timestamp(seconds: seconds, nanoseconds: attoseconds / 1_000_000_000).microseconds
    }
}
