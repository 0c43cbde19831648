// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import TextFormats

/// Central Europe in 2026: summer time from 29 March, 01:00 UTC, to 25 October, 01:00 UTC.
private let berlin = LocalZone { second in
    summer.contains(second) ? 7200 : 3600
} abbreviation: { second in
    summer.contains(second) ? "CEST" : "CET"
}

private let summer: Range<Int64> = 1_774_746_000..<1_792_890_000

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
            ("1795190405000", utc(2026, 11, 20, 16, 0, 5)), ("1795190405000000", utc(2026, 11, 20, 16, 0, 5)),
            ("1795190405000000000", utc(2026, 11, 20, 16, 0, 5)),
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
            ("0", Timestamp(microseconds: 0)),
            ("@-1.5", Timestamp(microseconds: -1_500_000)), ("2016-12-31T23:59:60Z", utc(2017, 1, 1)),
        ] as [(String, Timestamp)]
    )
    func understood(_ word: String, _ expected: Timestamp) throws {
        #expect(try TimeWords.parse(word, now: Self.now, zone: berlin).first == expected)
    }

    @Test(
        "times that date, journalctl, docker, kubectl, Go and syslog print are accepted",
        arguments: [
            ("Fri Nov 20 17:00:05 CET 2026", now), ("Fri Nov 20 05:00:05 PM CET 2026", now),
            ("Fri Nov 20 12:00:05 AM CET 2026", utc(2026, 11, 19, 23, 0, 5)), ("Fri Nov 20 16:00:05 UTC 2026", now),
            ("Fri, 20 Nov 2026 17:00:05 +0100", now),
            ("2026-11-20T17:00:05,000123456+01:00", now.advanced(byMicroseconds: 123)),
            ("2026-11-20T17+01:00", utc(2026, 11, 20, 16)), ("2026-11-20T17:00+01:00", utc(2026, 11, 20, 16)),
            ("2026-11-20 17:00:05.000123456+01:00", now.advanced(byMicroseconds: 123)),
            ("Nov 20 17:00:05", now), ("Nov 20 17:00:04.999999", now.advanced(byMicroseconds: -1)),
            ("Nov  2 17:00:05", utc(2026, 11, 2, 16, 0, 5)), ("Dec 24 17:00:05", utc(2025, 12, 24, 16, 0, 5)),
            ("Feb 29 17:00:05", utc(2024, 2, 29, 16, 0, 5)), ("Fri Nov 20 17:00:05 2026", now),
            ("[Fri Nov 20 17:00:05 2026]", now), ("2026-11-20T17", utc(2026, 11, 20, 16)),
            ("Fri 2026-11-20 17:00:05 CET", now),
            ("Fri 2026-11-20 16:00:05.000123 UTC", now.advanced(byMicroseconds: 123)),
            ("2026-11-20 17:00:05 +0100 CET", now),
            ("2026-11-20 16:00:05.123456789 +0000 UTC", now.advanced(byMicroseconds: 123_456)),
            ("2026/11/20 17:00:05", now), ("2026-11-20 16:00:05.000+0000", now), ("17:00:05 CET", now),
            ("16:00 UTC", utc(2026, 11, 20, 16)),
            ("yesterday 17:00", utc(2026, 11, 19, 16)), ("tomorrow", utc(2026, 11, 20, 23)),
            ("20 November 2026 17:00:05", now),
            ("Sun 2026-10-25 02:30:00 CEST", utc(2026, 10, 25, 0, 30)),
            ("Sun 2026-10-25 02:30:00 CET", utc(2026, 10, 25, 1, 30)),
            ("20/Nov/2026:17:00:05 +0100", now), ("[20/Nov/2026:17:00:05 +0100]", now), ("20/Nov/2026:17:00:05", now),
            ("20/Nov/2026", utc(2026, 11, 19, 23)),
            ("1,5h ago", utc(2026, 11, 20, 14, 30, 5)),
        ] as [(String, Timestamp)]
    )
    func printed(_ word: String, _ expected: Timestamp) throws {
        #expect(try TimeWords.parse(word, now: Self.now, zone: berlin).first == expected)
    }

    @Test(
        "a time includes the whole of its last written part",
        arguments: [
            ("17:00:05", 1_000_000), ("17:00", 60_000_000), ("2026-11-20", 86_400_000_000),
            ("2026-11-20T17", 3_600_000_000),
            ("2026-10-25", 90_000_000_000),
            ("17:00:05.1", 100_000), ("17:00:05.123456", 1), ("2026-11-20T17:00:05,123456789+01:00", 1),
            ("Nov 20 17:00:05", 1_000_000), ("@1795190405", 1_000_000), ("@1795190405.25", 10_000), ("now", 1),
            ("10m", 1),
            ("today", 1), ("yesterday", 1),
        ] as [(String, Int64)]
    )
    func precision(_ word: String, _ microseconds: Int64) throws {
        let time = try TimeWords.parse(word, now: Self.now, zone: berlin)
        #expect(time.last == time.first.advanced(byMicroseconds: microseconds - 1))
        #expect(!time.isRepeated)
    }

    @Test(
        "other words are refused with a list of accepted forms",
        arguments: [
            "20/Nov/2026:", "20/Nov/2026:17", "20/Foo/2026:17:00:05", "31/Nov/2026", "0 ago",
            "", " ", "10", "10x", "m", "-", "+", "--10m", "-10m ago", "1.h", "ago", "2026", "2026-13-01", "2026-02-30",
            "2026-11-20T", "2026-11-20T24", "[]", "[17:00", "2026-11-20 24:00", "2026-11-20 17", "2026-11-20 17:60",
            "2026-11-20T17:00:05.",
            "2026-11-20T17:00:05.1234567890Z", "2026-11-20T17:00:05+", "2026-11-20T17:00:05+1",
            "2026-11-20T17:00:05+100",
            "2026-11-20T17:00:05+24:00", "2026-11-20T17:00:05ZZ", "20261120", "@", "@x", "@1.", "12345678",
            "1795190405.", "99999999999999999999", "99999999999999999w", "17:0", "7:00", "noon", "Today",
            "Thu 2026-11-20 17:00:05", "Fri 17:00", "Nov 31 17:00:05", "Nov 2026", "17:00 17:00", "17:00 EST",
            "2026-11-20 CET", "2026-07-01 12:00 CET", "13:00 PM", "2026-11/20",
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
        #expect(try TimeWords.parse("yesterday", now: afterSpring, zone: berlin).first == utc(2026, 3, 28, 23))
        #expect(try TimeWords.parse("today", now: afterSpring, zone: berlin).first == utc(2026, 3, 29, 22))
        let newYear = utc(2026, 1, 1, 12)
        #expect(try TimeWords.parse("yesterday", now: newYear, zone: .utc).first == utc(2025, 12, 31))
    }

    @Test("a repeated time spans both occurrences, a skipped time is read with the old offset")
    func foldAndGap() throws {
        let repeated = try TimeWords.parse("2026-10-25 02:30", now: Self.now, zone: berlin)
        #expect(repeated.isRepeated)
        #expect(repeated.first == utc(2026, 10, 25, 0, 30))
        #expect(repeated.last == utc(2026, 10, 25, 1, 31).advanced(byMicroseconds: -1))
        let skipped = try TimeWords.parse("2026-03-29 02:30", now: Self.now, zone: berlin)
        #expect(skipped.first == utc(2026, 3, 29, 1, 30) && !skipped.isRepeated)
    }

    @Test("times at the ends of the range are handled")
    func extremes() throws {
        for now in [Timestamp.distantPast, .distantFuture] {
            for word in ["now", "today", "yesterday", "10m", "+10m", "17:00"] {
                _ = try TimeWords.parse(word, now: now, zone: berlin)
            }
        }
        let last = Timestamp.distantFuture.clampedToFourDigitYears
        #expect(try TimeWords.parse("@999999999999999999", now: Self.now).last == last)
    }
}

@Suite("Local time", .blocking)
struct LocalTimeTests {
    @Test("a local time leads back to its moment, all year round, in any zone")
    func roundTrip() {
        for zone in [berlin, .system, .utc] {
            var moment = utc(2026, 1, 1)
            while moment < utc(2027, 1, 1) {
                let back = zone.moments(of: zone.civil(at: moment))
                #expect(back.lowerBound == moment || back.upperBound == moment)
                #expect(zone.civil(at: back.lowerBound) == zone.civil(at: back.upperBound))
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
            #expect(try TimeWords.parse(word, now: moment, zone: .utc).first == moment)
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

    @Test("a comma in a size, which may divide thousands, is refused", arguments: ["1,000M", "1,5G"])
    func commas(_ word: String) {
        #expect(throws: WordError.self) { try Quantities.parseSize(word) }
    }

    @Test(
        "other words are refused and named",
        arguments: ["", "x", "-1", "1.5", "1..5G", "10Q", "1G1", "8388608T", "9999999999999999999", "1 0"]
    )
    func refused(_ word: String) {
        #expect(throws: WordError.self) { try Quantities.parseSize(word) }
        #expect(throws: WordError.self) { try Quantities.parseDuration(word) }
    }

    @Test("sizes and durations are written as they are read")
    func written() throws {
        for bytes in [0, 1, 1000, 1024, 1536, 100 << 20, 3 << 29, 1 << 40] {
            #expect(try Quantities.parseSize(Quantities.size(bytes)) == Int64(bytes))
        }
        #expect(Quantities.size(100 << 20) == "100MiB" && Quantities.size(3 << 29) == "1536MiB")
        for microseconds: Int64 in [0, 1, 1500, 250_000, 90_000_000, 604_800_000_000] {
            let word = Quantities.duration(microseconds: microseconds)
            #expect(try Quantities.parseDuration(word).wholeMicroseconds == microseconds)
        }
        #expect(Quantities.duration(microseconds: 604_800_000_000) == "7d")
    }

    @Test("a time outside the range of dates is clamped, and every moment has a date")
    func farAway() throws {
        let now = Timestamp(microseconds: 1_763_658_005_000_000)
        for word in ["@-9223372036855", "@9223372036855", "@-999999999999999999", "15250w ago", "+15250w"] {
            let moment = try TimeWords.parse(word, now: now, zone: .utc).first
            #expect(try TimeWords.parse(moment.description, now: now, zone: .utc).first == moment, "\(word)")
        }
        for moment in [Timestamp.distantPast, .distantFuture, Timestamp(microseconds: -1)] {
            let civil = moment.utc
            #expect((0..<1_000_000).contains(civil.microsecond) && (0..<60).contains(civil.second))
            #expect(!moment.description.isEmpty)
        }
        #expect(Timestamp(microseconds: -1).description == "1969-12-31T23:59:59.999999Z")
    }
}
