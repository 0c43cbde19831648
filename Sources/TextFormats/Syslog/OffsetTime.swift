// SPDX-License-Identifier: Apache-2.0

import LogModel

/// An RFC 3339 time with an offset from UTC, as in RFC 5424 (section 6.2.3): `2026-11-29T04:20:11.000123+01:00`.
public enum OffsetTime {
    /// The moment in nanoseconds since the Unix epoch; nil when all of `bytes` is not such a time, or out of range.
    public static func nanoseconds(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        guard bytes.count >= 20, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            bytes[10] == UInt8(ascii: "T"), bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":")
        else {
            return nil
        }
        let places = [0..<4, 5..<7, 8..<10, 11..<13, 14..<16, 17..<19]
        let parts = places.compactMap { ASCIIDigits.value(of: bytes[$0]) }
        guard parts.count == 6 else {
            return nil
        }
        var at = 19
        var fraction = 0
        if bytes[at] == UInt8(ascii: ".") {
            let digits = bytes[(at + 1)...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard (1...9).contains(digits.count), let value = ASCIIDigits.value(of: digits) else {
                return nil
            }
            fraction = (digits.count..<9).reduce(value) { scaled, _ in scaled * 10 }
            at = digits.endIndex
        }
        let civil = CivilTime(
            year: parts[0],
            month: parts[1],
            day: parts[2],
            hour: parts[3],
            minute: parts[4],
            second: parts[5]
        )
        guard civil.isValid, let east = secondsEast(bytes[at...]) else {
            return nil
        }
        let seconds = Timestamp(utc: civil).microseconds / 1_000_000 - Int64(east)
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = scaled.addingReportingOverflow(Int64(fraction))
        return overflow || carry ? nil : sum
    }

    private static func secondsEast(_ text: Slice<UnsafeRawBufferPointer>) -> Int? {
        if text.elementsEqual("Z".utf8) {
            return 0
        }
        let start = text.startIndex
        guard text.count == 6, "+-".utf8.contains(text[start]), text[start + 3] == UInt8(ascii: ":"),
            let hours = ASCIIDigits.value(of: text[start + 1..<start + 3]),
            let minutes = ASCIIDigits.value(of: text[start + 4..<start + 6]), hours < 24, minutes < 60
        else {
            return nil
        }
        return (hours * 60 + minutes) * (text[start] == UInt8(ascii: "-") ? -60 : 60)
    }
}
