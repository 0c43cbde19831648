// SPDX-License-Identifier: Apache-2.0

import LogModel

/// When a zone's clocks change each year, as POSIX writes it in TZ: `CET-1CEST,M3.5.0,M10.5.0/3`, with the hours beyond
/// a day of RFC 9636, section 3.3.1.
struct ZoneRule: Sendable {
    /// A day of the year, and the second of that day.
    private struct Change: Sendable {
        enum Day: Sendable {
            /// The day `weekday` of that week of a month; week 5 is the last.
            case weekday(month: Int, week: Int, weekday: Int)
            /// From 1 to 365; 29 February is not counted.
            case julian(Int)
            /// From 0 to 365.
            case ordinal(Int)
        }

        var day: Day
        var second = 7200
    }

    private let standard: ZoneFile.LocalType
    private var summer: (type: ZoneFile.LocalType, begin: Change, end: Change)?

    /// Parses `text`; nil when it is not such a rule.
    init?(_ text: String) {
        var scanner = WordScanner(text)
        guard let name = Self.name(&scanner), let west = Self.time(&scanner) else {
            return nil
        }
        standard = ZoneFile.LocalType(secondsEast: -west, abbreviation: name)
        guard !scanner.isAtEnd else {
            return
        }
        guard let summerName = Self.name(&scanner) else {
            return nil
        }
        let summerWest = Self.time(&scanner) ?? west - 3600
        guard let begin = Self.change(&scanner), let end = Self.change(&scanner), scanner.isAtEnd else {
            return nil
        }
        summer = (ZoneFile.LocalType(secondsEast: -summerWest, abbreviation: summerName), begin, end)
    }

    /// A name: letters, or any in angle brackets.
    private static func name(_ scanner: inout WordScanner) -> String? {
        guard scanner.take("<") else {
            let name = scanner.takeLetters()
            return name.isEmpty ? nil : name
        }
        var name = ""
        while !scanner.take(">") {
            let letters = scanner.takeLetters()
            let part = letters.isEmpty ? scanner.takeDigits(1...6).map { String($0) } ?? sign(&scanner) : letters
            guard let part else {
                return nil
            }
            name += part
        }
        return name
    }

    private static func sign(_ scanner: inout WordScanner) -> String? {
        scanner.take("+") ? "+" : scanner.take("-") ? "-" : nil
    }

    /// Seconds: `hh`, `hh:mm` or `hh:mm:ss`, with a sign or without.
    private static func time(_ scanner: inout WordScanner) -> Int? {
        let isNegative = sign(&scanner) == "-"
        guard let hours = scanner.takeDigits(1...3).flatMap({ Int($0) }) else {
            return nil
        }
        var seconds = hours * 3600
        for unit in [60, 1] where scanner.take(":") {
            guard let number = scanner.takeDigits(1...2).flatMap({ Int($0) }) else {
                return nil
            }
            seconds += number * unit
        }
        return isNegative ? -seconds : seconds
    }

    private static func change(_ scanner: inout WordScanner) -> Change? {
        guard scanner.take(",") else {
            return nil
        }
        func number() -> Int? { scanner.takeDigits(1...3).flatMap { Int($0) } }
        var change: Change
        if scanner.take("M") {
            guard let month = number(), scanner.take("."), let week = number(), scanner.take("."), let day = number(),
                (1...12).contains(month), (1...5).contains(week), (0...6).contains(day)
            else {
                return nil
            }
            change = Change(day: .weekday(month: month, week: week, weekday: day))
        } else {
            let isJulian = scanner.take("J")
            guard let day = number(), (isJulian ? 1...365 : 0...365).contains(day) else {
                return nil
            }
            change = Change(day: isJulian ? .julian(day) : .ordinal(day))
        }
        if scanner.take("/") {
            guard let second = time(&scanner) else {
                return nil
            }
            change.second = second
        }
        return change
    }

    /// What clocks show at `second` of the Unix epoch.
    func type(at second: Int64) -> ZoneFile.LocalType {
        guard let (type, begin, end) = summer else {
            return standard
        }
        let year = Timestamp(microseconds: second * 1_000_000).advanced(bySeconds: standard.secondsEast)
            .clampedToFourDigitYears.utc.year
        let from = Self.second(of: begin, year) - Int64(standard.secondsEast)
        let to = Self.second(of: end, year) - Int64(type.secondsEast)
        // In the south, summer spans the turn of the year.
        let isSummer = from < to ? from <= second && second < to : from <= second || second < to
        return isSummer ? type : standard
    }

    /// The second of the epoch at which clocks that show UTC would show the time of `change`.
    private static func second(of change: Change, _ year: Int) -> Int64 {
        let day: Int64
        func date(_ month: Int, _ day: Int) -> CivilTime { CivilTime(year: year, month: month, day: day) }
        func days(_ date: CivilTime) -> Int64 { Timestamp(utc: date).utcSecond / 86_400 }
        switch change.day {
        case .weekday(let month, let week, let weekday):
            let first = date(month, 1)
            var inMonth = 1 + (weekday - first.weekday + 7) % 7 + (week - 1) * 7
            while !date(month, inMonth).isValid {
                inMonth -= 7
            }
            day = days(date(month, inMonth))
        case .julian(let number):
            let isAfterLeapDay = number >= 60 && date(2, 29).isValid
            day = days(date(1, 1)) + Int64(number - (isAfterLeapDay ? 0 : 1))
        case .ordinal(let number):
            day = days(date(1, 1)) + Int64(number)
        }
        return day * 86_400 + Int64(change.second)
    }
}
