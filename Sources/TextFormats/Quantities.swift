// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Why a word is not a valid value.
public struct WordError: Error, Hashable, Sendable, CustomStringConvertible {
    public var word: String
    /// The expected kind of value, with its article: "a time".
    public var wanted: String
    /// Examples of valid values.
    public var accepted: String

    public init(word: String, wanted: String, accepted: String) {
        self.word = word
        self.wanted = wanted
        self.accepted = accepted
    }

    public var description: String { "'\(word)' is not \(wanted); write \(accepted)" }
}

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

/// A number with up to nine decimals, exact.
struct Decimal {
    var whole: Int64
    var billionths: Int64
    /// Whether decimals were written, even if zero.
    var hasFraction: Bool

    /// This number of units of `scale`, rounded down; nil when it exceeds 64 bits.
    func scaled(by scale: Int64) -> Int64? {
        let (product, overflow) = whole.multipliedReportingOverflow(by: scale)
        // `scale` is below 2⁴¹ and the fraction below 2³⁰: the product needs more than 64 bits.
        let wide = scale.multipliedFullWidth(by: billionths)
        let fraction = Int64(1_000_000_000).dividingFullWidth(wide).quotient
        let (sum, carried) = product.addingReportingOverflow(fraction)
        return overflow || carried ? nil : sum
    }
}

/// Scans a word.
struct WordScanner {
    private var rest: Substring.UnicodeScalarView

    init(_ word: String) {
        rest = Substring(word).unicodeScalars
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skipSpaces() {
        rest = rest.drop { $0 == " " }
    }

    /// Skips `scalar` if it comes next.
    mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard rest.first == scalar else {
            return false
        }
        rest = rest.dropFirst()
        return true
    }

    /// The next letters, possibly none.
    mutating func takeLetters() -> String {
        let letters = rest.prefix { ("a"..."z").contains($0) || ("A"..."Z").contains($0) || $0 == "µ" }
        rest = rest.dropFirst(letters.count)
        return String(letters)
    }

    /// The next digits, as text, when their number is in the range.
    mutating func takeDigits(_ count: ClosedRange<Int>) -> Substring? {
        let digits = rest.prefix { ("0"..."9").contains($0) }
        guard count.contains(digits.count) else {
            return nil
        }
        rest = rest.dropFirst(digits.count)
        return Substring(digits)
    }

    /// The next number, of exactly `digits` digits.
    mutating func takeNumber(digits: Int) -> Int? {
        takeDigits(digits...digits).flatMap { Int($0) }
    }

    /// A point or a comma (ISO 8601 allows both) and one to nine decimals; no decimals without a point, nil when none
    /// follow it.
    mutating func takeFraction() -> DecimalFraction? {
        guard take(".") || take(",") else {
            return DecimalFraction(billionths: 0, unit: 1_000_000_000)
        }
        guard let digits = takeDigits(1...9), let value = Int64(digits) else {
            return nil
        }
        let unit = (digits.count..<9).reduce(Int64(1)) { unit, _ in unit * 10 }
        return DecimalFraction(billionths: value * unit, unit: unit)
    }

    /// The next number, with or without decimals.
    mutating func takeDecimal() -> Decimal? {
        guard let digits = takeDigits(1...18), let whole = Int64(digits) else {
            return nil
        }
        let hasFraction = rest.first == "." || rest.first == ","
        return takeFraction().map { Decimal(whole: whole, billionths: $0.billionths, hasFraction: hasFraction) }
    }
}

/// Decimals behind a point.
struct DecimalFraction {
    var billionths: Int64
    /// The value of one in the last written place, in billionths: 10⁹ when there are no decimals.
    var unit: Int64
}
