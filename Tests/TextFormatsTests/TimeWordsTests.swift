// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import TextFormats

/// Central Europe in 2026: summer time from 29 March, 01:00 UTC, to 25 October, 01:00 UTC.
private let berlin = LocalZone { second in
    let summer: Range<Int64> = 1_774_746_000..<1_792_890_000
    return summer.contains(second) ? 7200 : 3600
}

private func utc(_ year: Int, _ month: Int, _ day: Int, _ hour: Int = 0, _ minute: Int = 0, _ second: Int = 0)
    -> Timestamp
{
    Timestamp(utc: CivilTime(year: year, month: month, day: day, hour: hour, minute: minute, second: second))
}

@Suite("Time words", .blocking)
struct TimeWordsTests {
    /// 17:00:05 in Berlin.
    private static let now = utc(2026, 11, 20, 16, 0, 5)

    @Test(
        "every documented form is accepted",
        arguments: [
            ("now", now), (" now ", now), ("10m", utc(2026, 11, 20, 15, 50, 5)),
            ("-10m", utc(2026, 11, 20, 15, 50, 5)), ("10 min ago", utc(2026, 11, 20, 15, 50, 5)),
            ("+10m", utc(2026, 11, 20, 16, 10, 5)), ("2h30m", utc(2026, 11, 20, 13, 30, 5)),
            ("1.5h", utc(2026, 11, 20, 14, 30, 5)), ("1d", utc(2026, 11, 19, 16, 0, 5)),
            ("today", utc(2026, 11, 19, 23)), ("yesterday", utc(2026, 11, 18, 23)),
            ("2026-11-20", utc(2026, 11, 19, 23)), ("2026-11-20 17:00", utc(2026, 11, 20, 16)),
            ("2026-11-20 17:00:05", now), ("2026-11-20T17:00:05", now), ("2026-11-20T16:00:05Z", now),
            ("2026-11-20t16:00:05z", now), ("2026-11-20T17:00:05+01:00", now), ("2026-11-20T17:00:05+0100", now),
            ("2026-11-20T17:00:05+01", now), ("2026-11-20T10:30:05-05:30", now),
            ("2026-11-20T16:00Z", utc(2026, 11, 20, 16)),
            ("2026-11-20 17:00:05.123", now.advanced(byMicroseconds: 123_000)),
            ("2026-11-20T16:00:05.123456789Z", now.advanced(byMicroseconds: 123_456)),
            ("17:00", utc(2026, 11, 20, 16)), ("17:00:05", now), ("@1795190405", now), ("1795190405", now),
            ("@1795190405.25", now.advanced(byMicroseconds: 250_000)),
            ("1795190405.000001000", now.advanced(byMicroseconds: 1)), ("@0", Timestamp(microseconds: 0)),
            ("@-1.5", Timestamp(microseconds: -1_500_000)), ("2016-12-31T23:59:60Z", utc(2017, 1, 1)),
        ] as [(String, Timestamp)]
    )
    func understood(_ word: String, _ expected: Timestamp) throws {
        #expect(try TimeWords.parse(word, now: Self.now, zone: berlin) == expected)
    }

    @Test(
        "other words are refused with a list of accepted forms",
        arguments: [
            "", " ", "10", "10x", "m", "-", "+", "--10m", "-10m ago", "1.h", "ago", "2026", "2026-13-01", "2026-02-30",
            "2026-11-20T", "2026-11-20 24:00", "2026-11-20 17", "2026-11-20 17:60",
            "2026-11-20T17:00:05.",
            "2026-11-20T17:00:05.1234567890Z", "2026-11-20T17:00:05+", "2026-11-20T17:00:05+1",
            "2026-11-20T17:00:05+100",
            "2026-11-20T17:00:05+24:00", "2026-11-20T17:00:05ZZ", "20261120", "@", "@x", "@1.", "12345678",
            "1795190405.", "99999999999999999999", "99999999999999999w", "17:0", "7:00", "noon", "Today",
        ]
    )
    func refused(_ word: String) {
        let error = #expect(throws: WordError.self) {
            try TimeWords.parse(word, now: Self.now, zone: berlin)
        }
        #expect(error?.description.contains("'\(word)'") == true)
        #expect(error?.description.contains("2h30m") == true)
    }

    @Test("days are calendar days, not 24 hours")
    func daysAroundAChange() throws {
        let afterSpring = utc(2026, 3, 30, 10)
        #expect(try TimeWords.parse("yesterday", now: afterSpring, zone: berlin) == utc(2026, 3, 28, 23))
        #expect(try TimeWords.parse("today", now: afterSpring, zone: berlin) == utc(2026, 3, 29, 22))
        let newYear = utc(2026, 1, 1, 12)
        #expect(try TimeWords.parse("yesterday", now: newYear, zone: .utc) == utc(2025, 12, 31))
    }

    @Test("a repeated time is the first of the two, a skipped time is read with the old offset")
    func foldAndGap() throws {
        #expect(try TimeWords.parse("2026-10-25 02:30", now: Self.now, zone: berlin) == utc(2026, 10, 25, 0, 30))
        #expect(try TimeWords.parse("2026-03-29 02:30", now: Self.now, zone: berlin) == utc(2026, 3, 29, 1, 30))
    }

    @Test("times at the ends of the range are handled")
    func extremes() throws {
        for now in [Timestamp.distantPast, .distantFuture] {
            for word in ["now", "today", "yesterday", "10m", "+10m", "17:00"] {
                _ = try TimeWords.parse(word, now: now, zone: berlin)
            }
        }
        let last = Timestamp.distantFuture.clampedToFourDigitYears
        #expect(try TimeWords.parse("@999999999999999999", now: Self.now) == last)
    }
}

@Suite("Local time", .blocking)
struct LocalTimeTests {
    @Test("a local time leads back to its moment, all year round, in any zone")
    func roundTrip() {
        for zone in [berlin, .system, .utc] {
            var moment = utc(2026, 1, 1)
            while moment < utc(2027, 1, 1) {
                let back = zone.timestamp(of: zone.civil(at: moment))
                // Within the repeated hour the earlier reading applies.
                let isRepeated = zone.offset(at: back) != zone.offset(at: moment)
                #expect(back == moment || (isRepeated && zone.civil(at: back) == zone.civil(at: moment)))
                moment = moment.advanced(bySeconds: 1800)
            }
        }
    }

    @Test("moments are written with the offset of their own day")
    func written() {
        var writer = LocalTimeWriter(zone: berlin)
        var utcWriter = LocalTimeWriter.utc
        func rfc3339(_ moment: Timestamp, _ writer: inout LocalTimeWriter) -> String {
            var out: [UInt8] = []
            writer.appendRFC3339(moment, to: &out)
            return String(decoding: out, as: UTF8.self)
        }
        let winter = utc(2026, 11, 20, 16, 0, 5).advanced(byMicroseconds: 123)
        #expect(rfc3339(winter, &writer) == "2026-11-20T17:00:05.000123+01:00")
        #expect(rfc3339(utc(2026, 7, 1), &writer) == "2026-07-01T02:00:00.000000+02:00")
        #expect(rfc3339(winter, &utcWriter) == "2026-11-20T16:00:05.000123Z")
        var west = LocalTimeWriter(zone: LocalZone { _ in -12_600 - 34 })
        #expect(rfc3339(winter, &west) == "2026-11-20T12:30:05.000123-03:30")
        #expect(rfc3339(.distantPast, &utcWriter) == "0001-01-01T00:00:00.000000Z")
        #expect(rfc3339(.distantFuture, &writer) == "9999-12-31T23:59:59.999999+01:00")

        var out: [UInt8] = []
        writer.appendShort(utc(2026, 11, 2, 16, 0, 5), to: &out)
        #expect(String(decoding: out, as: UTF8.self) == "Nov 02 17:00:05")
    }

    @Test("written times are parsed again")
    func writtenIsRead() throws {
        var writer = LocalTimeWriter(zone: berlin)
        var moment = utc(2026, 1, 1).advanced(byMicroseconds: 1)
        while moment < utc(2027, 1, 1) {
            var out: [UInt8] = []
            writer.appendRFC3339(moment, to: &out)
            let word = String(decoding: out, as: UTF8.self)
            #expect(try TimeWords.parse(word, now: moment, zone: .utc) == moment)
            moment = moment.advanced(byMicroseconds: 7_654_321_987)
        }
    }
}

@Suite("Quantities", .blocking)
struct QuantitiesTests {
    @Test(
        "time spans",
        arguments: [
            ("30s", .seconds(30)), ("2h30m", .seconds(9000)), ("1.5h", .seconds(5400)), ("250ms", .milliseconds(250)),
            ("7d", .seconds(604_800)), ("1w", .seconds(604_800)), ("2 hours 30 min", .seconds(9000)), ("0s", .zero),
            ("5us", .microseconds(5)),
        ] as [(String, Duration)]
    )
    func durations(_ word: String, _ expected: Duration) throws {
        #expect(try Quantities.parseDuration(word) == expected)
    }

    @Test(
        "sizes",
        arguments: [
            ("0", 0), ("4096", 4096), ("4096b", 4096), ("1K", 1024), ("500M", 500 << 20), ("10G", 10 << 30),
            ("1.5GiB", 3 << 29), ("1 TiB", 1 << 40), ("2MB", 2_000_000), ("1kB", 1000), ("0.5k", 512),
            ("8388607T", 8_388_607 << 40),
        ] as [(String, Int64)]
    )
    func sizes(_ word: String, _ expected: Int64) throws {
        #expect(try Quantities.parseSize(word) == expected)
    }

    @Test(
        "other words are refused and named",
        arguments: ["", "x", "-1", "1.5", "1..5G", "10Q", "1G1", "8388608T", "9999999999999999999", "1 0"]
    )
    func refused(_ word: String) {
        #expect(throws: WordError.self) { try Quantities.parseSize(word) }
        #expect(throws: WordError.self) { try Quantities.parseDuration(word) }
    }

    @Test("a time outside the range of dates is clamped, and every moment has a date")
    func farAway() throws {
        let now = Timestamp(microseconds: 1_763_658_005_000_000)
        for word in ["@-9223372036855", "@9223372036855", "@-999999999999999999", "15250w ago", "+15250w"] {
            let moment = try TimeWords.parse(word, now: now, zone: .utc)
            #expect(try TimeWords.parse(moment.description, now: now, zone: .utc) == moment, "\(word)")
        }
        for moment in [Timestamp.distantPast, .distantFuture, Timestamp(microseconds: -1)] {
            let civil = moment.utc
            #expect((0..<1_000_000).contains(civil.microsecond) && (0..<60).contains(civil.second))
            #expect(!moment.description.isEmpty)
        }
        #expect(Timestamp(microseconds: -1).description == "1969-12-31T23:59:59.999999Z")
    }
}
