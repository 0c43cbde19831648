// SPDX-License-Identifier: Apache-2.0

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

/// Decimals behind a point.
struct DecimalFraction {
    var billionths: Int64
    /// The value of one in the last written place, in billionths: 10⁹ when there are no decimals.
    var unit: Int64
}
