// SPDX-License-Identifier: Apache-2.0

/// A moment in UTC, in whole microseconds since 1970-01-01T00:00:00Z.
///
/// The store has microseconds: they cover half a million years in a signed 64-bit integer and compress better than
/// nanoseconds, and no console is read more often.
public struct Timestamp: Hashable, Comparable, Sendable {
    /// Microseconds since the Unix epoch; negative before it.
    public var microseconds: Int64

    /// The moment `microseconds` after the Unix epoch.
    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// The moment `seconds` after the Unix epoch, saturating at the ends of the range.
    public init(seconds: Int64, nanoseconds: Int64 = 0) {
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let whole = overflow ? (seconds < 0 ? Int64.min : Int64.max) : scaled
        let (sum, carried) = whole.addingReportingOverflow(nanoseconds / 1000)
        microseconds = carried ? whole : sum
    }

    /// Nanoseconds since the Unix epoch, saturating at the ends of the range: the years 1677 and 2262.
    public var nanoseconds: Int64 {
        let (scaled, overflow) = microseconds.multipliedReportingOverflow(by: 1000)
        return overflow ? (microseconds < 0 ? .min : .max) : scaled
    }

    public static let distantPast = Timestamp(microseconds: .min)
    public static let distantFuture = Timestamp(microseconds: .max)

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microseconds < right.microseconds
    }

    public func advanced(byMicroseconds delta: Int64) -> Timestamp {
        let (sum, overflow) = microseconds.addingReportingOverflow(delta)
        return Timestamp(microseconds: overflow ? (delta < 0 ? .min : .max) : sum)
    }
}

/// A date and a time of day in the proleptic Gregorian calendar, without a zone.
public struct CivilTime: Hashable, Sendable {
    /// Years of the common era; 1 is year 1.
    public var year: Int
    /// 1 (January) to 12.
    public var month: Int
    /// 1 to 31.
    public var day: Int
    /// 0 to 23.
    public var hour: Int
    /// 0 to 59.
    public var minute: Int
    /// 0 to 60: leap seconds are accepted, and count as the next second.
    public var second: Int
    /// 0 to 999,999.
    public var microsecond: Int

    public init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, microsecond: Int = 0)
    {
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
        self.microsecond = microsecond
    }

    /// Whether the parts name an existing day and time.
    public var isValid: Bool {
        (1...9999).contains(year) && (1...12).contains(month) && (1...Self.days(in: month, of: year)).contains(day)
            && (0...23).contains(hour) && (0...59).contains(minute) && (0...60).contains(second)
            && (0...999_999).contains(microsecond)
    }

    static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension Timestamp {
    /// The moment at which a clock in UTC shows `civil`; the parts must be valid.
    public init(utc civil: CivilTime) {
        // Days are counted from 1 March of year 0, so that the leap day ends a year, over 400-year cycles.
        let shiftedYear = civil.month <= 2 ? civil.year - 1 : civil.year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (civil.month + (civil.month > 2 ? -3 : 9)) + 2) / 5 + civil.day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        let seconds = days * 86_400 + civil.hour * 3600 + civil.minute * 60 + civil.second
        self.init(microseconds: Int64(seconds) * 1_000_000 + Int64(civil.microsecond))
    }

    public var utc: CivilTime {
        let (second, microsecond) = Self.flooredDivision(microseconds, by: 1_000_000)
        let (days, secondOfDay) = Self.flooredDivision(second, by: 86_400)
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        return CivilTime(
            year: Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0),
            month: month,
            day: Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1),
            hour: Int(secondOfDay / 3600),
            minute: Int(secondOfDay / 60 % 60),
            second: Int(secondOfDay % 60),
            microsecond: Int(microsecond)
        )
    }

    /// The quotient rounded down, and what is left, which is never negative.
    private static func flooredDivision(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC with microseconds, as `2026-11-20T17:00:00.000000Z`.
    public var description: String {
        let civil = utc
        func pad(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return pad(civil.year, 4) + "-" + pad(civil.month, 2) + "-" + pad(civil.day, 2) + "T" + pad(civil.hour, 2)
            + ":" + pad(civil.minute, 2) + ":" + pad(civil.second, 2) + "." + pad(civil.microsecond, 6) + "Z"
    }
}
