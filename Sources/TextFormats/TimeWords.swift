// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// Parses the times of `--since` and `--until`.
///
/// The forms are those of `docker logs`, `kubectl logs` and `journalctl`:
/// - a duration before now: `10m`, `2h30m`, `1d`, also `-10m` and `10m ago`; `+10m` is after now;
/// - `now`; `today` and `yesterday` at midnight;
/// - `2026-11-20` at midnight, `2026-11-20 17:00`, with seconds and up to nine decimals if wanted, with a space or a
///   `T` between, and with `Z` or an offset (`+01:00`, `+0100`) behind, as RFC 3339 has it; without, by the zone;
/// - `17:00` and `17:00:05`, today;
/// - `@1763658005` and `@1763658005.25`, seconds of the Unix epoch; docker's bare `1763658005.000000000` too, from nine
///   digits up.
public enum TimeWords {
    /// The moment `word`, relative to `now`; dates without an offset are in `zone`. Moments before the year 1 or after
    /// 9999 are clamped, so that every result can be written as a date.
    public static func parse(
        _ word: String,
        now: Timestamp,
        zone: LocalZone = .system
    ) throws(WordError) -> Timestamp {
        let trimmed = String(
            word.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
        )
        guard
            let moment = namedMoment(trimmed, now: now, zone: zone) ?? epochMoment(trimmed)
                ?? relativeMoment(trimmed, now: now) ?? civilMoment(trimmed, now: now, zone: zone)
        else {
            throw WordError(word: word, wanted: "a time", accepted: accepted)
        }
        return moment.clampedToFourDigitYears
    }

    static let accepted =
        "10m, 2h30m or 1d (ago), now, today, yesterday, 17:00, 2026-11-20, '2026-11-20 17:00', "
        + "2026-11-20T17:00:05Z or @seconds"

    private static func namedMoment(_ word: String, now: Timestamp, zone: LocalZone) -> Timestamp? {
        switch word {
        case "now": now
        case "today": midnight(ofDay: 0, now: now, zone: zone)
        case "yesterday": midnight(ofDay: -1, now: now, zone: zone)
        default: nil
        }
    }

    private static func midnight(ofDay day: Int, now: Timestamp, zone: LocalZone) -> Timestamp {
        let today = zone.civil(at: now)
        let noon = CivilTime(year: today.year, month: today.month, day: today.day, hour: 12)
        // Days are calendar days: yesterday may have had 23 hours.
        let date = Timestamp(utc: noon).advanced(bySeconds: day * 86_400).clampedToFourDigitYears.utc
        return zone.timestamp(of: CivilTime(year: date.year, month: date.month, day: date.day))
    }

    private static func epochMoment(_ word: String) -> Timestamp? {
        var scanner = WordScanner(word)
        let isMarked = scanner.take("@")
        let isNegative = isMarked && scanner.take("-")
        // Without the mark, fewer digits would be a year or a typing error.
        guard let digits = scanner.takeDigits((isMarked ? 1 : 9)...18), let seconds = Int64(digits),
            let billionths = scanner.takeFraction(), scanner.isAtEnd
        else {
            return nil
        }
        let moment = Timestamp(seconds: seconds, nanoseconds: billionths)
        return isNegative ? Timestamp(microseconds: -moment.microseconds) : moment
    }

    private static func relativeMoment(_ word: String, now: Timestamp) -> Timestamp? {
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
            now.advanced(byMicroseconds: isAhead ? $0 : -$0)
        }
    }

    private static func civilMoment(_ word: String, now: Timestamp, zone: LocalZone) -> Timestamp? {
        var scanner = WordScanner(word)
        guard var civil = date(&scanner) else {
            // Without a date, a time of today.
            var scanner = WordScanner(word)
            let today = zone.civil(at: now)
            var civil = CivilTime(year: today.year, month: today.month, day: today.day)
            guard timeOfDay(&scanner, of: &civil), scanner.isAtEnd, civil.isValid else {
                return nil
            }
            return zone.timestamp(of: civil)
        }
        if scanner.isAtEnd {
            return civil.isValid ? zone.timestamp(of: civil) : nil
        }
        guard scanner.take("T") || scanner.take("t") || scanner.take(" "), timeOfDay(&scanner, of: &civil),
            civil.isValid
        else {
            return nil
        }
        if scanner.isAtEnd {
            return zone.timestamp(of: civil)
        }
        guard let offset = offset(&scanner), scanner.isAtEnd else {
            return nil
        }
        return Timestamp(utc: civil).advanced(bySeconds: -offset)
    }

    private static func date(_ scanner: inout WordScanner) -> CivilTime? {
        guard let year = scanner.takeNumber(digits: 4), scanner.take("-"),
            let month = scanner.takeNumber(digits: 2), scanner.take("-"), let day = scanner.takeNumber(digits: 2)
        else {
            return nil
        }
        return CivilTime(year: year, month: month, day: day)
    }

    private static func timeOfDay(_ scanner: inout WordScanner, of civil: inout CivilTime) -> Bool {
        guard let hour = scanner.takeNumber(digits: 2), scanner.take(":"), let minute = scanner.takeNumber(digits: 2)
        else {
            return false
        }
        civil.hour = hour
        civil.minute = minute
        guard scanner.take(":") else {
            return true
        }
        guard let second = scanner.takeNumber(digits: 2), let billionths = scanner.takeFraction() else {
            return false
        }
        civil.second = second
        civil.microsecond = Int(billionths / 1000)
        return true
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
        let minutes: Int
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
            } else {
                minutes = 0
            }
        }
        guard hours < 24, minutes < 60 else {
            return nil
        }
        return (hours * 60 + minutes) * (isWest ? -60 : 60)
    }
}
