// SPDX-License-Identifier: Apache-2.0

// Times in RFC 3339 with UTC (`Z`), to the nanosecond.
extension Timestamp {
    /// The moment that `text` states, as `2026-11-20T17:00:00.123456789Z`, with up to nine decimals; digits beyond
    /// microseconds are cut. nil for other forms, and for dates that do not exist.
    public init?(rfc3339 text: some Collection<UInt8>) {
        let moment = Array(text).withUnsafeBytes { Timestamp(rfc3339: $0) }
        guard let moment else {
            return nil
        }
        self = moment
    }

    /// The same for text in memory, quickly.
    public init?(rfc3339 text: UnsafeRawBufferPointer) {
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
        func take(_ sign: Unicode.Scalar) -> Bool { digits.next() == UInt8(ascii: sign) }
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
        String(unsafeUninitializedCapacity: rfc3339Length) { buffer in
            guard var pointer = buffer.baseAddress else {
                return 0
            }
            write(nanoseconds: nanoseconds, to: &pointer)
            return rfc3339Length
        }
    }

    /// Writes that text at `pointer`, which it advances, and where there is space for `rfc3339Length` bytes: years
    /// before 1 and after 9999 do not occur in 64 bits of nanoseconds.
    public static func write(nanoseconds: Int64, to pointer: inout UnsafeMutablePointer<UInt8>) {
        func put(_ value: Int, digits: Int, then end: Unicode.Scalar) {
            var rest = value
            for position in (0..<digits).reversed() {
                (pointer + position).initialize(to: UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
                rest /= 10
            }
            (pointer + digits).initialize(to: UInt8(ascii: end))
            pointer += digits + 1
        }
        let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let (second, nano) = remainder < 0 ? (quotient - 1, remainder + 1_000_000_000) : (quotient, remainder)
        let civil = Timestamp(microseconds: second * 1_000_000).utc
        put(civil.year, digits: 4, then: "-")
        put(civil.month, digits: 2, then: "-")
        put(civil.day, digits: 2, then: "T")
        put(civil.hour, digits: 2, then: ":")
        put(civil.minute, digits: 2, then: ":")
        put(civil.second, digits: 2, then: ".")
        put(Int(nano), digits: 9, then: "Z")
    }

    /// The length of that text, in bytes.
    static let rfc3339Length = 30

    /// The moment that `text` states, in nanoseconds since the Unix epoch, as RFC 3339 allows it: with up to nine
    /// decimals (further ones are cut), and with `Z` or an offset. nil for other forms, dates that do not exist, and
    /// moments that 64 bits do not hold.
    public static func nanoseconds(rfc3339 text: UnsafeRawBufferPointer) -> Int64? {
        var index = 0
        func number(_ digits: Int, then end: UInt8? = nil) -> Int? {
            guard index + digits <= text.count else {
                return nil
            }
            var value = 0
            for digitIndex in index..<index + digits {
                let digit = text[digitIndex] &- UInt8(ascii: "0")
                guard digit <= 9 else {
                    return nil
                }
                value = value * 10 + Int(digit)
            }
            index += digits
            if let end {
                let isThere = index < text.count && (text[index] == end || text[index] == 0x74 && end == 0x54)
                guard isThere else {
                    return nil
                }
                index += 1
            }
            return value
        }
        let (dash, colon) = (UInt8(ascii: "-"), UInt8(ascii: ":"))
        guard let year = number(4, then: dash), let month = number(2, then: dash),
            let day = number(2, then: UInt8(ascii: "T")), let hour = number(2, then: colon),
            let minute = number(2, then: colon), let second = number(2)
        else {
            return nil
        }
        var nano: Int64 = 0
        if index < text.count, text[index] == UInt8(ascii: ".") || text[index] == UInt8(ascii: ",") {
            index += 1
            var unit: Int64 = 100_000_000
            let start = index
            while index < text.count, text[index] &- UInt8(ascii: "0") <= 9 {
                nano += Int64(text[index] &- UInt8(ascii: "0")) * unit
                unit /= 10
                index += 1
            }
            guard index > start else {
                return nil
            }
        }
        let civil = CivilTime(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
        guard index < text.count, civil.isValid else {
            return nil
        }
        var offset = 0
        let sign = text[index]
        index += 1
        switch sign {
        case UInt8(ascii: "Z"), UInt8(ascii: "z"): break
        case UInt8(ascii: "+"), UInt8(ascii: "-"):
            guard let hours = number(2, then: colon), let minutes = number(2), hours < 24, minutes < 60 else {
                return nil
            }
            offset = (hours * 3600 + minutes * 60) * (sign == UInt8(ascii: "+") ? 1 : -1)
        default: return nil
        }
        let seconds = Timestamp(utc: civil).microseconds / 1_000_000 - Int64(offset)
        let (scaled, isTooLarge) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isCarried) = scaled.addingReportingOverflow(nano)
        return index == text.count && !isTooLarge && !isCarried ? sum : nil
    }
}
