// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import TestTraits
import Testing

@testable import TextFormats

/// As the C library has them in 2024: the offset when the year begins, and each change with the offset after it.
private let posixRules: [(text: String, offset: Int, changes: [(second: Int64, offset: Int)])] = [
    ("CET-1CEST,M3.5.0,M10.5.0/3", 3_600, [(1_711_846_800, 7_200), (1_729_990_800, 3_600)]),
    ("AEST-10AEDT,M10.1.0,M4.1.0/3", 39_600, [(1_712_419_200, 36_000), (1_728_144_000, 39_600)]),
    ("<-03>3", -10_800, []),
    ("EST5EDT,M3.2.0,M11.1.0", -18_000, [(1_710_054_000, -14_400), (1_730_613_600, -18_000)]),
    ("IST-2IDT,M3.4.4/26,M10.5.0", 7_200, [(1_711_670_400, 10_800), (1_729_983_600, 7_200)]),
    ("XXX3YYY,J60/0,J300", -10_800, [(1_709_262_000, -7_200), (1_730_001_600, -10_800)]),
    ("XXX3YYY,59,299/1:30", -10_800, [(1_709_182_800, -7_200), (1_729_913_400, -10_800)]),
    ("NST3:30NDT,M3.2.0,M11.1.0", -12_600, [(1_710_048_600, -9_000), (1_730_608_200, -12_600)]),
]

@Suite("Named time zones", .blocking, .enabled(if: access("/usr/share/zoneinfo/Europe/Berlin", R_OK) == 0))
struct ZoneTests {
    /// A Monday.
    private static let now = Timestamp(utc: CivilTime(year: 2026, month: 11, day: 30, hour: 22, minute: 30))

    @Test(
        "a time is in the zone that is written behind it, wherever it is read",
        arguments: [
            ("2026-01-01 10:00 Europe/Berlin", "2026-01-01T09:00:00"),
            ("2026-07-01 10:00 Europe/Berlin", "2026-07-01T08:00:00"),
            ("2050-07-01 10:00 Europe/Berlin", "2050-07-01T08:00:00"),
            ("1985-01-01 12:00 America/New_York", "1985-01-01T17:00:00"),
            ("2060-01-15 12:00 Australia/Sydney", "2060-01-15T01:00:00"),
            ("2026-11-30 10:00 Asia/Tokyo", "2026-11-30T01:00:00"),
            ("2026-11-30 10:00:05.25 America/Argentina/Buenos_Aires", "2026-11-30T13:00:05.250000"),
            ("Mon 2026-11-30 10:00 Etc/GMT+5", "2026-11-30T15:00:00"), ("2026-11-30 UTC", "2026-11-30T00:00:00"),
            ("today UTC", "2026-11-30T00:00:00"), ("yesterday utc", "2026-11-29T00:00:00"),
            ("tomorrow GMT", "2026-12-01T00:00:00"), ("today Asia/Tokyo", "2026-11-30T15:00:00"),
            ("now UTC", "2026-11-30T22:30:00"), ("17:00 UTC", "2026-11-30T17:00:00"),
            ("07:00 Asia/Tokyo", "2026-11-30T22:00:00"),
        ]
    )
    func zoned(_ word: String, _ expected: String) throws {
        for zone in [LocalZone.utc, LocalZone { _ in -8 * 3600 }] {
            let time = try TimeWords.parse(word, now: Self.now, zone: zone)
            #expect(time.first.description.hasPrefix(expected), "\(time.first)")
        }
    }

    @Test("a named zone's clocks may show a time twice, and a day ends with the zone's")
    func lasts() throws {
        let repeated = try TimeWords.parse("2026-10-25 02:30 Europe/Berlin", now: Self.now, zone: .utc)
        #expect(repeated.isRepeated)
        #expect(repeated.last.microseconds - repeated.first.microseconds == 3_660_000_000 - 1)
        let day = try TimeWords.parse("2026-10-25 Europe/Berlin", now: Self.now, zone: .utc)
        #expect(day.last.microseconds - day.first.microseconds == 25 * 3_600_000_000 - 1)
    }

    @Test(
        "an unknown zone is named, and what works",
        arguments: ["2026-11-30 10:00 Europe/Berln", "today CEST", "2026-07-01 10:00 ../../etc/passwd"]
    )
    func unknown(_ word: String) {
        let error = #expect(throws: WordError.self) { try TimeWords.parse(word, now: Self.now, zone: .utc) }
        #expect(error?.wanted.contains("is not a time zone that applies here") == true)
        #expect(error?.wanted.contains("Europe/Berlin") == true)
    }

    @Test(
        "what has two zones, or none that can be meant, is no time",
        arguments: ["2026-11-30T10:00Z Europe/Berlin", "10m UTC", "@5 UTC", "0 UTC", "UTC", "Europe/Berlin"]
    )
    func refused(_ word: String) {
        #expect(throws: WordError.self) { try TimeWords.parse(word, now: Self.now, zone: .utc) }
    }

    @Test("rules of POSIX have each year's changes", arguments: posixRules.indices)
    func changes(_ index: Int) throws {
        let expected = posixRules[index]
        let rule = try #require(ZoneRule(expected.text))
        #expect(rule.type(at: 1_704_067_200).secondsEast == expected.offset)
        var before = expected.offset
        for change in expected.changes {
            #expect(rule.type(at: change.second - 1).secondsEast == before, "\(change)")
            #expect(rule.type(at: change.second).secondsEast == change.offset, "\(change)")
            before = change.offset
        }
    }

    @Test("damaged files are refused", arguments: [0, 3, 44, 60, 200])
    func damaged(_ length: Int) throws {
        let file = try #require(fopen("/usr/share/zoneinfo/Europe/Berlin", "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        bytes.removeLast(bytes.count - fread(&bytes, 1, bytes.count, file))
        #expect(ZoneFile(bytes) != nil)
        #expect(ZoneFile(Array(bytes.prefix(length))) == nil)
        for index in bytes.indices.prefix(400) {
            var damaged = bytes
            damaged[index] ^= 0xff
            _ = ZoneFile(damaged)?.type(at: 0)
        }
    }
}
