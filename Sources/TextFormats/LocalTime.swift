// SPDX-License-Identifier: Apache-2.0

public import LogModel

#if canImport(Glibc)
    import Glibc
#endif

/// A time zone: the offset of its clocks, and its abbreviation, at any moment.
public struct LocalZone: Sendable {
    private let secondsEast: @Sendable (Int64) -> Int
    private let abbreviation: @Sendable (Int64) -> String

    /// A zone whose clocks are `secondsEast` seconds ahead of UTC at the given second of the Unix epoch, and which is
    /// abbreviated as `abbreviation` then.
    public init(
        secondsEast: @escaping @Sendable (Int64) -> Int,
        abbreviation: @escaping @Sendable (Int64) -> String = { _ in "" }
    ) {
        self.secondsEast = secondsEast
        self.abbreviation = abbreviation
    }

    public static let utc = LocalZone { _ in
        0
    } abbreviation: { _ in
        "UTC"
    }

    /// The system's zone: `TZ`, else /etc/localtime, as it was at the first use.
    public static let system: LocalZone = {
        // localtime_r need not initialize the zone by itself.
        tzset()
        // It fails only for years beyond an Int32, for which no zone is known.
        return LocalZone { second in
            var second = time_t(second)
            var parts = tm()
            return localtime_r(&second, &parts) == nil ? 0 : parts.tm_gmtoff
        } abbreviation: { second in
            var second = time_t(second)
            var parts = tm()
            return localtime_r(&second, &parts) == nil ? "" : parts.tm_zone.map { String(cString: $0) } ?? ""
        }
    }()

    func offset(at moment: Timestamp) -> Int {
        secondsEast(moment.clampedToFourDigitYears.utcSecond)
    }

    /// The zone's local time at `moment`, which is clamped to the years 1–9999.
    public func civil(at moment: Timestamp) -> CivilTime {
        moment.advanced(bySeconds: offset(at: moment)).clampedToFourDigitYears.utc
    }

    /// The zone's abbreviation at `moment`, such as CET; empty when none is known.
    func abbreviation(at moment: Timestamp) -> String {
        abbreviation(moment.clampedToFourDigitYears.utcSecond)
    }

    /// The moments at which the zone's clocks show `civil`, which must be valid: the first and the last of them.
    ///
    /// They differ when clocks are set back, and show a time twice. A time that is skipped, when clocks are set
    /// forward, is interpreted with the offset before, as in mktime(3).
    func moments(of civil: CivilTime) -> ClosedRange<Timestamp> {
        let asUTC = Timestamp(utc: civil)
        let day = 86_400
        // Zones are less than a day from UTC, so these are the offsets before and after any change near `civil`.
        let before = offset(at: asUTC.advanced(bySeconds: -day))
        let after = offset(at: asUTC.advanced(bySeconds: day))
        let readings = [before, after].map { asUTC.advanced(bySeconds: -$0) }
        // Compared in the form that `civil(at:)` returns: a leap second is the next second.
        let shown = readings.filter { self.civil(at: $0) == asUTC.utc }.sorted()
        return (shown.first ?? readings[0])...(shown.last ?? readings[0])
    }
}

/// Writes moments in a zone's local time.
///
/// It caches the offset of the last quarter-hour (zones change at whole quarters of an hour UTC), so that it rarely
/// calls the C library.
public struct LocalTimeWriter: Sendable {
    private let zone: LocalZone
    private let isUTC: Bool
    private var quarter = Int64.min
    private var secondsEast = 0

    public init(zone: LocalZone = .system) {
        self.zone = zone
        isUTC = false
    }

    private init(utc: Void) {
        zone = .utc
        isUTC = true
    }

    public static let utc = LocalTimeWriter(utc: ())

    /// Appends `moment` as RFC 3339 with microseconds, `2026-11-20T17:00:05.000123+01:00`: always 32 bytes, 27 in UTC.
    /// Moments outside the years 1–9999 are clamped.
    public mutating func appendRFC3339(_ moment: Timestamp, to out: inout [UInt8]) {
        // The format has no seconds in an offset, which zones had before 1972. The moment is still correct.
        let minutesEast = offset(at: moment) / 60
        let civil = moment.clampedToFourDigitYears.advanced(bySeconds: minutesEast * 60).clampedToFourDigitYears.utc
        append(civil.year, digits: 4, to: &out)
        out.append(UInt8(ascii: "-"))
        append(civil.month, digits: 2, to: &out)
        out.append(UInt8(ascii: "-"))
        append(civil.day, digits: 2, to: &out)
        out.append(UInt8(ascii: "T"))
        appendTimeOfDay(civil, to: &out)
        out.append(UInt8(ascii: "."))
        append(civil.microsecond, digits: 6, to: &out)
        if isUTC {
            out.append(UInt8(ascii: "Z"))
            return
        }
        out.append(minutesEast < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+"))
        append(abs(minutesEast) / 60, digits: 2, to: &out)
        out.append(UInt8(ascii: ":"))
        append(abs(minutesEast) % 60, digits: 2, to: &out)
    }

    /// Appends `moment` as in syslog and `journalctl -o short`, `Nov 20 17:00:05`: always 15 bytes, the day padded with
    /// a zero.
    public mutating func appendShort(_ moment: Timestamp, to out: inout [UInt8]) {
        let civil = moment.clampedToFourDigitYears.advanced(bySeconds: offset(at: moment)).clampedToFourDigitYears.utc
        out.append(contentsOf: Self.months.utf8.dropFirst((civil.month - 1) * 3).prefix(3))
        out.append(UInt8(ascii: " "))
        append(civil.day, digits: 2, to: &out)
        out.append(UInt8(ascii: " "))
        appendTimeOfDay(civil, to: &out)
    }

    private static let months = "JanFebMarAprMayJunJulAugSepOctNovDec"

    private mutating func offset(at moment: Timestamp) -> Int {
        let quarter = moment.clampedToFourDigitYears.utcSecond.flooredQuotient(by: 900)
        if quarter != self.quarter {
            self.quarter = quarter
            secondsEast = zone.offset(at: moment)
        }
        return secondsEast
    }

    private func appendTimeOfDay(_ civil: CivilTime, to out: inout [UInt8]) {
        append(civil.hour, digits: 2, to: &out)
        out.append(UInt8(ascii: ":"))
        append(civil.minute, digits: 2, to: &out)
        out.append(UInt8(ascii: ":"))
        append(civil.second, digits: 2, to: &out)
    }

    private func append(_ value: Int, digits: Int, to out: inout [UInt8]) {
        let start = out.count
        var rest = value
        out.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: digits))
        for index in (start..<start + digits).reversed() {
            out[index] += UInt8(rest % 10)
            rest /= 10
        }
    }
}

extension Timestamp {
    /// The moment clamped to the years 1–9999, for which dates are written.
    var clampedToFourDigitYears: Timestamp {
        Timestamp(
            microseconds: min(max(microseconds, -62_135_596_800_000_000), 253_402_300_799_999_999)
        )
    }

    /// Whole seconds since the Unix epoch, rounded down.
    var utcSecond: Int64 {
        microseconds.flooredQuotient(by: 1_000_000)
    }

    func advanced(bySeconds seconds: Int) -> Timestamp {
        advanced(byMicroseconds: Int64(seconds) * 1_000_000)
    }
}

extension Int64 {
    fileprivate func flooredQuotient(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
