// SPDX-License-Identifier: Apache-2.0

// Times in RFC 3339 with UTC (`Z`), to the nanosecond.
extension Timestamp {
    /// The moment that `text` states, as `2026-11-20T17:00:00.123456789Z`, with up to nine decimals; digits beyond
    /// microseconds are cut. nil for other forms, and for dates that do not exist.
    public init?(rfc3339 text: some Collection<UInt8>) {
        var digits = text.makeIterator()
        func number(_ count: Int) -> Int? {
            var value = 0
            for _ in 0..<count {
                guard let digit = digits.next(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else {
                    return nil
                }
                value = value * 10 + Int(digit - UInt8(ascii: "0"))
            }
            return value
        }
        func take(_ byte: Character) -> Bool { digits.next() == byte.asciiValue }
        guard let year = number(4), take("-"), let month = number(2), take("-"), let day = number(2), take("T"),
            let hour = number(2), take(":"), let minute = number(2), take(":"), let second = number(2)
        else {
            return nil
        }
        var next = digits.next()
        var microsecond = 0
        if next == UInt8(ascii: ".") {
            var decimals = 0
            next = digits.next()
            while let digit = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit), decimals < 9 {
                if decimals < 6 {
                    microsecond = microsecond * 10 + Int(digit - UInt8(ascii: "0"))
                }
                decimals += 1
                next = digits.next()
            }
            guard decimals > 0 else {
                return nil
            }
            for _ in 0..<max(0, 6 - decimals) {
                microsecond *= 10
            }
        }
        let civil = CivilTime(
            year: year,
            month: month,
            day: day,
            hour: hour,
            minute: minute,
            second: second,
            microsecond: microsecond
        )
        guard next == UInt8(ascii: "Z"), digits.next() == nil, civil.isValid else {
            return nil
        }
        self.init(utc: civil)
    }

    /// The text of a moment in nanoseconds since the Unix epoch, with nine decimals.
    public static func rfc3339(nanoseconds: Int64) -> String {
        let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: 1000)
        let (micro, nano) = remainder < 0 ? (quotient - 1, remainder + 1000) : (quotient, remainder)
        let digits = String(nano)
        return Timestamp(microseconds: micro).description.dropLast()
            + String(repeating: "0", count: 3 - digits.utf8.count) + digits + "Z"
    }
}
