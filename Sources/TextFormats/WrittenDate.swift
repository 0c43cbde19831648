// SPDX-License-Identifier: Apache-2.0

import LogModel

/// A date, a time of day, or both, as people and programs write them.
///
/// - RFC 3339 and ISO 8601: `2026-11-20`, `2026-11-20 17:00`, `2026-11-20T17`, `2026-11-20T17:00:05.123Z`,
///   `2026-11-20T17:00:05,123+0100`;
/// - `17:00` and `17:00:05`, today; `yesterday 17:00`;
/// - syslog and journalctl: `Nov 20 17:00:05`, in the last year; `Fri 2026-11-20 17:00:05 CET`;
/// - date(1) and RFC 5322: `Fri Nov 20 17:00:05 CET 2026`, `Fri Nov 20 05:00:05 PM CET 2026`,
///   `Fri, 20 Nov 2026 17:00:05 +0100`;
/// - Go's: `2026-11-20 17:00:05.123456789 +0100 CET`, `2026/11/20 17:00:05`;
/// - web servers': `20/Nov/2026:17:00:05 +0100`.
///
/// The parts are separated by spaces and recognized by their form, so that their order does not matter. An abbreviation
/// of a zone must be UTC, GMT, or one that the local zone has at that time: others are ambiguous.
struct WrittenDate {
    private struct TimeOfDay {
        var hour: Int
        var minute = 0
        var second = 0
        var microsecond = 0
        /// How long the written time lasts, in microseconds: a minute when no seconds are written.
        var unit: Int64
    }

    private enum Zone {
        /// Seconds east of UTC.
        case offset(Int)
        case abbreviation(String)
    }

    private var year: Int?
    private var month: Int?
    private var day: Int?
    private var weekday: Int?
    /// The date relative to today.
    private var daysFromToday: Int?
    private var timeOfDay: TimeOfDay?
    private var isAfternoon: Bool?
    private var zone: Zone?

    /// The parts of `word`; nil when a word in it is none of them, or a part is given twice.
    init?(_ word: String) {
        let parts = word.split(separator: " ")
        for part in parts {
            guard parseName(String(part)) || parseNumber(part) || parseStamp(String(part)) else {
                return nil
            }
        }
        guard !parts.isEmpty, applyHalfOfDay() else {
            return nil
        }
    }

    // MARK: - Parts

    private static let weekdays = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
    private static let months = [
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
        "december",
    ]

    /// The index of `word` among `names`, of which it is the first three letters or all.
    private static func index(of word: String, in names: [String]) -> Int? {
        let word = word.lowercased()
        return names.firstIndex { $0 == word || $0.prefix(3) == word }
    }

    static func daysFromToday(_ word: String) -> Int? {
        switch word {
        case "yesterday": -1
        case "today", "midnight": 0
        case "tomorrow": 1
        default: nil
        }
    }

    /// Sets `member`, unless it was set before.
    private mutating func set<Value>(_ member: WritableKeyPath<WrittenDate, Value?>, _ value: Value) -> Bool {
        guard self[keyPath: member] == nil else {
            return false
        }
        self[keyPath: member] = value
        return true
    }

    /// Parses a part made of letters.
    private mutating func parseName(_ part: String) -> Bool {
        if let weekday = Self.index(of: part.hasSuffix(",") ? String(part.dropLast()) : part, in: Self.weekdays) {
            return set(\.weekday, weekday)
        }
        if let month = Self.index(of: part, in: Self.months) {
            return set(\.month, month + 1)
        }
        if let days = Self.daysFromToday(part) {
            return set(\.daysFromToday, days)
        }
        switch part {
        case "AM", "am": return set(\.isAfternoon, false)
        case "PM", "pm": return set(\.isAfternoon, true)
        case "Z", "z": return set(\.zone, .offset(0))
        default: break
        }
        guard (2...6).contains(part.utf8.count), part.utf8.allSatisfy({ (0x41...0x5a).contains($0) }) else {
            return false
        }
        // Go writes the abbreviation after the offset, which decides.
        if case .offset = zone {
            return true
        }
        return set(\.zone, .abbreviation(part))
    }

    /// Parses the day of the month, or the year behind a month's name.
    private mutating func parseNumber(_ part: Substring) -> Bool {
        guard part.utf8.allSatisfy(\.isDecimalDigit), let number = Int(part) else {
            return false
        }
        return switch part.utf8.count {
        case 1, 2: set(\.day, number)
        case 4: month != nil && set(\.year, number)
        default: false
        }
    }

    /// Parses a date, a time of day, an offset, or those in one word.
    private mutating func parseStamp(_ part: String) -> Bool {
        var scanner = WordScanner(part)
        if parseWebServerDate(&scanner) {
            return scanner.isAtEnd
                || scanner.take(":") && parseTimeOfDay(&scanner, allowsHour: false) && scanner.isAtEnd
        }
        scanner = WordScanner(part)
        if parseDate(&scanner) {
            guard !scanner.isAtEnd else {
                return true
            }
            guard scanner.take("T") || scanner.take("t"), parseTimeOfDay(&scanner, allowsHour: true) else {
                return false
            }
        } else {
            scanner = WordScanner(part)
            if !parseTimeOfDay(&scanner, allowsHour: false) {
                scanner = WordScanner(part)
            }
        }
        if scanner.isAtEnd {
            return true
        }
        return Self.offset(&scanner).map { set(\.zone, .offset($0)) } ?? false && scanner.isAtEnd
    }

    private mutating func parseDate(_ scanner: inout WordScanner) -> Bool {
        guard let year = scanner.takeNumber(digits: 4) else {
            return false
        }
        let separator: Unicode.Scalar = scanner.take("/") ? "/" : "-"
        guard separator == "/" || scanner.take("-"), let month = scanner.takeNumber(digits: 2),
            scanner.take(separator), let day = scanner.takeNumber(digits: 2)
        else {
            return false
        }
        return set(\.year, year) && set(\.month, month) && set(\.day, day)
    }

    /// Parses `20/Nov/2026`.
    private mutating func parseWebServerDate(_ scanner: inout WordScanner) -> Bool {
        guard let day = scanner.takeNumber(digits: 2), scanner.take("/"),
            let month = Self.index(of: scanner.takeLetters(), in: Self.months), scanner.take("/"),
            let year = scanner.takeNumber(digits: 4)
        else {
            return false
        }
        return set(\.year, year) && set(\.month, month + 1) && set(\.day, day)
    }

    private mutating func parseTimeOfDay(_ scanner: inout WordScanner, allowsHour: Bool) -> Bool {
        guard let hour = scanner.takeNumber(digits: 2) else {
            return false
        }
        var time = TimeOfDay(hour: hour, unit: 3_600_000_000)
        guard scanner.take(":") else {
            return allowsHour && set(\.timeOfDay, time)
        }
        guard let minute = scanner.takeNumber(digits: 2) else {
            return false
        }
        time.minute = minute
        time.unit = 60_000_000
        if scanner.take(":") {
            guard let second = scanner.takeNumber(digits: 2), let fraction = scanner.takeFraction() else {
                return false
            }
            time.second = second
            time.microsecond = Int(fraction.billionths / 1000)
            time.unit = max(fraction.unit / 1000, 1)
        }
        return set(\.timeOfDay, time)
    }

    /// Seconds east of UTC: `Z`, `+01:00`, `+0100`, `+01`.
    private static func offset(_ scanner: inout WordScanner) -> Int? {
        if scanner.take("Z") || scanner.take("z") {
            return 0
        }
        let isWest = scanner.take("-")
        guard isWest || scanner.take("+") else {
            return nil
        }
        let hours: Int
        var minutes = 0
        if let together = scanner.takeNumber(digits: 4) {
            (hours, minutes) = (together / 100, together % 100)
        } else {
            guard let number = scanner.takeNumber(digits: 2) else {
                return nil
            }
            hours = number
            if scanner.take(":") {
                guard let number = scanner.takeNumber(digits: 2) else {
                    return nil
                }
                minutes = number
            }
        }
        guard hours < 24, minutes < 60 else {
            return nil
        }
        return (hours * 60 + minutes) * (isWest ? -60 : 60)
    }

    /// Converts hours with AM or PM; false when there is no such hour.
    private mutating func applyHalfOfDay() -> Bool {
        guard let isAfternoon else {
            return true
        }
        guard let hour = timeOfDay?.hour, (1...12).contains(hour) else {
            return false
        }
        timeOfDay?.hour = hour % 12 + (isAfternoon ? 12 : 0)
        return true
    }

    // MARK: - The time

    /// Whether an offset or a zone is written.
    var hasZone: Bool { zone != nil }

    /// What the parts stand for; nil when they are incomplete, contradictory, or no existing time.
    func time(now: Timestamp, zone local: LocalZone) -> WrittenTime? {
        guard zone == nil || timeOfDay != nil else {
            return nil
        }
        let today = civil(at: now, local)
        switch (year, month, day, daysFromToday) {
        case (let year?, let month?, let day?, nil):
            return time(of: CivilTime(year: year, month: month, day: day), local)
        case (nil, let month?, let day?, nil):
            // The last such day, which may be a 29 February, or a certain weekday.
            return (0...8).lazy.map { CivilTime(year: today.year - $0, month: month, day: day) }
                .compactMap { time(of: $0, local) }.first { $0.first <= now }
        case (nil, nil, nil, let days):
            return timeOfDay == nil || weekday != nil ? nil : time(of: today.midnight(days: days ?? 0), local)
        default:
            return nil
        }
    }

    /// Today's date where the time was written.
    private func civil(at now: Timestamp, _ local: LocalZone) -> CivilTime {
        switch zone {
        case .offset(let secondsEast):
            now.advanced(bySeconds: secondsEast).clampedToFourDigitYears.utc
        case .abbreviation(let name) where Self.isUTC(name):
            now.clampedToFourDigitYears.utc
        case .abbreviation, nil:
            local.civil(at: now)
        }
    }

    private static func isUTC(_ name: String) -> Bool { name == "UTC" || name == "GMT" }

    /// The time on the day `date`.
    private func time(of date: CivilTime, _ local: LocalZone) -> WrittenTime? {
        guard date.isValid, weekday ?? date.weekday == date.weekday else {
            return nil
        }
        guard let timeOfDay else {
            let start = local.moments(of: date).lowerBound
            let next = local.moments(of: date.midnight(days: 1)).lowerBound
            return WrittenTime(start, microseconds: max(next.microseconds - start.microseconds, 1))
        }
        var civil = date
        (civil.hour, civil.minute, civil.second) = (timeOfDay.hour, timeOfDay.minute, timeOfDay.second)
        civil.microsecond = timeOfDay.microsecond
        guard civil.isValid, let moments = moments(of: civil, local) else {
            return nil
        }
        var time = WrittenTime(moments.lowerBound, microseconds: timeOfDay.unit)
        time.isRepeated = moments.lowerBound < moments.upperBound
        time.last = moments.upperBound.advanced(byMicroseconds: timeOfDay.unit - 1)
        return time
    }

    /// When clocks show `civil` in the written zone, else in the local one; nil when the local one is never abbreviated
    /// so at that time.
    private func moments(of civil: CivilTime, _ local: LocalZone) -> ClosedRange<Timestamp>? {
        switch zone {
        case .offset(let secondsEast):
            let moment = Timestamp(utc: civil).advanced(bySeconds: -secondsEast)
            return moment...moment
        case .abbreviation(let name) where Self.isUTC(name):
            let moment = Timestamp(utc: civil)
            return moment...moment
        case .abbreviation(let name):
            let moments = local.moments(of: civil)
            return [moments.lowerBound, moments.upperBound].first { local.abbreviation(at: $0) == name }.map { $0...$0 }
        case nil:
            return local.moments(of: civil)
        }
    }
}
