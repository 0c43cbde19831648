// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Times as programs write them into their records: RFC 3339 and its near relatives, and numbers since the Unix epoch.
public enum WrittenTimestamp {
    /// The time in nanoseconds since the Unix epoch; nil when `text` is no time. A time without an offset is one of `zone`, a
    /// number is in seconds, milliseconds, microseconds or nanoseconds, whichever brings it between 2001 and 2286.
    public static func nanoseconds(_ text: UnsafeRawBufferPointer, zone: LocalZone) -> Int64? {
        if let time = Timestamp.nanoseconds(rfc3339: text) {
            return time
        }
        return number(text) ?? dateAndTime(text, zone: zone)
    }

    /// Ten digits are seconds, each three more a thousandth; decimals may follow.
    private static func number(_ text: UnsafeRawBufferPointer) -> Int64? {
        let whole = text.prefix(while: \.isDecimalDigit)
        guard [10, 13, 16, 19].contains(whole.count) else {
            return nil
        }
        let rest = text[whole.endIndex...]
        let decimals = rest.dropFirst()
        guard
            rest.isEmpty
                || (rest.first == UInt8(ascii: ".") && !decimals.isEmpty && decimals.allSatisfy(\.isDecimalDigit))
        else {
            return nil
        }
        var value: Int64 = 0
        for index in 0..<19 {
            let digit = index < whole.count ? whole[index] : decimals.dropFirst(index - whole.count).first ?? 0x30
            let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            guard !isTooLarge, tens <= .max - 9 else {
                return nil
            }
            value = tens + Int64(digit - 0x30)
        }
        return value
    }

    /// `2026-11-29 01:02:03,123 +0100`: a space for the `T`, a comma for the point, a space before the offset, and that
    /// without its colon, without minutes, as `UTC`, or none.
    private static func dateAndTime(_ text: UnsafeRawBufferPointer, zone: LocalZone) -> Int64? {
        guard text.count >= 19, text.count <= 64 else {
            return nil
        }
        var written = Array(text)
        if written[10] == UInt8(ascii: " ") {
            written[10] = UInt8(ascii: "T")
        }
        let hasDecimals = text.count > 19 && [UInt8(ascii: "."), UInt8(ascii: ",")].contains(text[19])
        let end = hasDecimals ? written[20...].firstIndex { !$0.isDecimalDigit } ?? written.count : 19
        var rest = written[end...]
        written.removeSubrange(end...)
        guard rest.isEmpty else {
            if rest.first == UInt8(ascii: " ") {
                rest.removeFirst()
            }
            return offset(Array(rest)).flatMap { offset in
                (written + offset).withUnsafeBytes { Timestamp.nanoseconds(rfc3339: $0) }
            }
        }
        // What clocks at the zone showed, as if at Greenwich.
        written.append(UInt8(ascii: "Z"))
        guard let shown = written.withUnsafeBytes({ Timestamp.nanoseconds(rfc3339: $0) }) else {
            return nil
        }
        func part(_ range: Range<Int>) -> Int { ASCIIDigits.value(of: written[range]) ?? 0 }
        let civil = CivilTime(
            year: part(0..<4),
            month: part(5..<7),
            day: part(8..<10),
            hour: part(11..<13),
            minute: part(14..<16),
            second: part(17..<19)
        )
        // Near the ends of what 64 bits hold a zone's offset leads beyond them.
        let west = zone.moments(of: civil).lowerBound.microseconds - Timestamp(utc: civil).microseconds
        let (moment, isTooFar) = shown.addingReportingOverflow(west * 1000)
        return isTooFar ? nil : moment
    }

    /// An offset from UTC in the form of RFC 3339.
    private static func offset(_ text: [UInt8]) -> [UInt8]? {
        guard let sign = text.first, [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(sign) else {
            return ["Z", "z", "UTC", "GMT"].contains { text.elementsEqual($0.utf8) } ? [UInt8(ascii: "Z")] : nil
        }
        switch text.count {
        case 3: return text + Array(":00".utf8)
        case 5: return text[..<3] + [UInt8(ascii: ":")] + text[3...]
        default: return text
        }
    }
}
