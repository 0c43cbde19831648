// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import TextFormats

@Suite(.blocking) struct WrittenTimestampTests {
    private func read(_ text: String) -> String? {
        Array(text.utf8).withUnsafeBytes { WrittenTimestamp.nanoseconds($0, zone: LocalZone { _ in 7200 }) }
            .map { Timestamp.rfc3339(nanoseconds: $0) }
    }

    @Test(
        "times as programs write them: numbers of any unit, offsets with and without a colon, local times",
        arguments: [
            ("1764378123", "2025-11-29T01:02:03.000000000Z"), ("1764378123.456", "2025-11-29T01:02:03.456000000Z"),
            ("1764378123456", "2025-11-29T01:02:03.456000000Z"), ("1764378123456789", "2025-11-29T01:02:03.456789000Z"),
            ("1764378123456789012", "2025-11-29T01:02:03.456789012Z"),
            ("2025-11-29T01:02:03Z", "2025-11-29T01:02:03.000000000Z"),
            ("2025-11-29T01:02:03.5+0100", "2025-11-29T00:02:03.500000000Z"),
            ("2025-11-29 01:02:03,123", "2025-11-28T23:02:03.123000000Z"),
            ("2025-11-29 01:02:03-05:30", "2025-11-29T06:32:03.000000000Z"),
            ("2025-11-29 01:02:03.5 +0100", "2025-11-29T00:02:03.500000000Z"),
            ("2025-11-29 01:02:03+01", "2025-11-29T00:02:03.000000000Z"),
            ("2025-11-29T01:02:03,25Z", "2025-11-29T01:02:03.250000000Z"),
            ("2025-11-29 01:02:03 UTC", "2025-11-29T01:02:03.000000000Z"),
            ("2025-11-29T01:02:03", "2025-11-28T23:02:03.000000000Z"),
        ]
    )
    func known(_ text: String, _ wanted: String) {
        #expect(read(text) == wanted)
    }

    @Test("local times at the ends of 64 bits of nanoseconds, in zones on both sides of Greenwich")
    func ends() {
        let words = [
            "2262-04-11T23:47:00", "2262-04-11T23:47:16.854775807", "1677-09-21T00:30:00", "1677-09-21T00:12:44",
            "1677-09-21T00:12:43.2",
        ]
        for (offset, wanted) in [
            (-5 * 3600, [false, false, true, true, false]), (3600, [true, true, false, false, false]),
            (0, [true, true, true, true, false]),
        ] {
            let zone = LocalZone { _ in offset }
            for (word, isTime) in zip(words, wanted) {
                let time = Array(word.utf8).withUnsafeBytes { WrittenTimestamp.nanoseconds($0, zone: zone) }
                #expect((time != nil) == isTime, "\(word), \(offset)")
                let message = Array((word + " app: x").utf8).withUnsafeBytes {
                    SyslogMessage(line: $0, now: Timestamp(microseconds: 0), zone: zone)
                }
                #expect(message?.time == time)
            }
        }
    }

    @Test(
        "other words are none",
        arguments: [
            "", "5ms", "12", "176437812", "17643781234", "1764378123.", "1764378123.x", "1764378123x", "-1764378123",
            "2025-13-29 01:02:03", "2025-11-29", "2025-11-29 25:02:03", "9999999999999999999", "2025-11-29 01:02:03 x",
        ]
    )
    func unknown(_ text: String) {
        #expect(read(text) == nil)
    }
}
