// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// The moments that a written time stands for.
///
/// A time given to the minute stands for the whole minute, one given to the day for the whole day: `17:00` is from
/// 17:00:00.000000 to 17:00:59.999999.
public struct WrittenTime: Hashable, Sendable {
    /// The first moment: where a range that begins at this time begins.
    public var first: Timestamp
    /// The last moment, to the microsecond: where a range that ends at this time ends.
    public var last: Timestamp
    /// Whether local clocks show the time twice, because they are set back: `first` is in the first occurrence then,
    /// `last` in the second.
    public var isRepeated = false

    /// Exactly the moment `moment`.
    init(_ moment: Timestamp) {
        (first, last) = (moment, moment)
    }

    /// From `first` on, `microseconds` long.
    init(_ first: Timestamp, microseconds: Int64) {
        self.first = first
        last = first.advanced(byMicroseconds: microseconds - 1)
    }

    /// Clamped to the years 1–9999.
    var clamped: WrittenTime {
        var clamped = self
        clamped.first = first.clampedToFourDigitYears
        clamped.last = last.clampedToFourDigitYears
        return clamped
    }
}

/// Parses times as people and programs write them.
///
/// - `10m`, `2h30m`, `1.5d`, `90 min ago`, `-10m`: that long before now; `+10m` after;
/// - `now`; `today`, `yesterday` and `tomorrow` at midnight; `0`, the beginning of the Unix epoch;
/// - dates and times of day, as `WrittenDate` has them: `2026-11-20`, `17:00`, RFC 3339, and the forms that date(1),
///   journalctl, docker, kubectl and this program print;
/// - days, dates and times of day with a zone behind them, as systemd.time(7) has it: `today UTC`,
///   `2026-11-20 17:00 Europe/Berlin`;
/// - `@1763658005` and `@1763658005.25`, seconds of the Unix epoch; docker's bare `1763658005.000000000` too, from nine
///   digits up. A bare number of 13 digits is milliseconds, from 15 digits microseconds, from 18 nanoseconds.
public enum TimeWords {
    /// The time `word`, relative to `now`; dates without an offset are in `zone`. Moments before the year 1 or after
    /// 9999 are clamped, so that every result can be written as a date.
    public static func parse(
        _ word: String,
        now: Timestamp,
        zone: LocalZone = .system
    ) throws(WordError) -> WrittenTime {
        let trimmed = String(
            word.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
        )
        var found =
            namedTime(trimmed, now: now, zone: zone) ?? epochTime(trimmed) ?? relativeTime(trimmed, now: now)
            ?? WrittenDate(withoutBrackets(trimmed))?.time(now: now, zone: zone)
        if found == nil {
            found = try zonedTime(trimmed, now: now, local: zone)
        }
        guard let time = found else {
            throw WordError(word: word, wanted: "a time", accepted: accepted)
        }
        return time.clamped
    }

    /// A day, a date or a time of day, with the name of its zone behind it; nil for others. Throws where only the zone is
    /// unknown.
    private static func zonedTime(_ word: String, now: Timestamp, local: LocalZone) throws(WordError) -> WrittenTime? {
        guard let space = word.lastIndex(of: " ") else {
            return nil
        }
        let name = String(word[word.index(after: space)...])
        let rest = String(word[..<space])
        func time(_ zone: LocalZone) -> WrittenTime? {
            if rest != "0", let time = namedTime(rest, now: now, zone: zone) {
                return time
            }
            return WrittenDate(rest).flatMap { $0.hasZone ? nil : $0.time(now: now, zone: zone) }
        }
        if let zone = LocalZone(named: name) {
            return time(zone)
        }
        guard name.contains(where: \.isLetter), !["AM", "PM"].contains(name.uppercased()), time(local) != nil else {
            return nil
        }
        let remedy = "use an offset such as +01:00, UTC, or a name such as Europe/Berlin"
        throw WordError(
            word: word,
            wanted: "a time: \(name) is not a time zone that applies here, \(remedy)",
            accepted: accepted
        )
    }

    /// `dmesg -T` prints brackets around its times.
    private static func withoutBrackets(_ word: String) -> String {
        word.hasPrefix("[") && word.hasSuffix("]") ? String(word.dropFirst().dropLast()) : word
    }

    static let accepted =
        "10m, 2h30m or 1d (ago), now, today, yesterday, 17:00, 2026-11-20, '2026-11-20 17:00', 'Nov 20 17:00:05', "
        + "2026-11-20T17:00:05Z or @seconds"

    /// `today` and its neighbours are moments, as in journalctl: `--since yesterday --until today` is one day.
    private static func namedTime(_ word: String, now: Timestamp, zone: LocalZone) -> WrittenTime? {
        switch word {
        case "now": return WrittenTime(now)
        case "0": return WrittenTime(Timestamp(microseconds: 0))
        default: break
        }
        return WrittenDate.daysFromToday(word).map { days in
            WrittenTime(zone.moments(of: zone.civil(at: now).midnight(days: days)).lowerBound)
        }
    }

    private static func epochTime(_ word: String) -> WrittenTime? {
        var scanner = WordScanner(word)
        let isMarked = scanner.take("@")
        let isNegative = isMarked && scanner.take("-")
        // Without the mark, fewer digits would be a year or a typing error.
        guard let digits = scanner.takeDigits(isMarked ? 1...18 : 9...19), let number = Int64(digits),
            let fraction = scanner.takeFraction(), scanner.isAtEnd
        else {
            return nil
        }
        let moment: Timestamp
        let unit: Int64
        switch isMarked ? 0 : digits.count {
        // Programs print milliseconds, microseconds and nanoseconds too: of any present time they have so many digits.
        case 13...14: (moment, unit) = (Timestamp(microseconds: number * 1000), 1000)
        case 15...17: (moment, unit) = (Timestamp(microseconds: number), 1)
        case 18...19: (moment, unit) = (Timestamp(microseconds: number / 1000), 1)
        default:
            moment = Timestamp(seconds: number, nanoseconds: fraction.billionths)
            unit = max(fraction.unit / 1000, 1)
        }
        return WrittenTime(isNegative ? Timestamp(microseconds: -moment.microseconds) : moment, microseconds: unit)
    }

    private static func relativeTime(_ word: String, now: Timestamp) -> WrittenTime? {
        var span = word[...]
        let isAhead = span.hasPrefix("+")
        let isMarkedPast = span.hasPrefix("-")
        if isAhead || isMarkedPast {
            span.removeFirst()
        }
        if !isAhead && !isMarkedPast && span.hasSuffix(" ago") {
            span.removeLast(4)
        }
        return Quantities.microseconds(of: String(span)).map {
            WrittenTime(now.advanced(byMicroseconds: isAhead ? $0 : -$0))
        }
    }
}

extension CivilTime {
    /// Midnight of the day `days` days later.
    func midnight(days: Int) -> CivilTime {
        // Days are calendar days: yesterday may have had 23 hours.
        let noon = CivilTime(year: year, month: month, day: day, hour: 12)
        let date = Timestamp(utc: noon).advanced(bySeconds: days * 86_400).clampedToFourDigitYears.utc
        return CivilTime(year: date.year, month: date.month, day: date.day)
    }

    /// The day of the week: 0 is Sunday.
    var weekday: Int {
        let days = Timestamp(utc: CivilTime(year: year, month: month, day: day)).utcSecond / 86_400
        // 1970-01-01 was a Thursday; the remainder is negative before.
        return Int(((days + 4) % 7 + 7) % 7)
    }
}
