// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import TextFormats

@Suite("The table of alarms", .blocking)
struct AlarmTableTests {
    private static let table = AlarmTable([
        .notice: ["disk lost, mirror works"],
        .error: ["disk lost", "error -%d", "task %s blocked for %d s", "lost%$"],
        .warning: ["disk ", "mirror"],
    ])

    private func start(_ text: String) -> Severity? {
        Array(text.utf8).withUnsafeBytes { Self.table.severity(atStartOf: $0) }
    }

    private func anywhere(_ text: String) -> Severity? {
        Array(text.utf8).withUnsafeBytes { Self.table.severity(anywhereIn: $0) }
    }

    @Test(
        "a text has the severity of the first listed format that fits",
        arguments: [
            ("disk lost", .error), ("disk lost, mirror works", .notice), ("disk full", .warning), ("disk", nil),
            ("a disk lost", nil), ("error -5", .error), ("error -", nil), ("error -x", nil), ("error -12 in x", .error),
            ("task a b: blocked for 12 s", .error), ("lost\r\n", .error), ("lost", .error), ("lost it", nil), ("", nil),
            ("di", nil), ("task a blocked for ", nil),
        ] as [(String, Severity?)]
    )
    func starts(_ text: String, _ expected: Severity?) {
        #expect(start(text) == expected)
    }

    @Test(
        "anywhere in a text, the order of the table decides, not that of the text",
        arguments: [
            ("a disk lost", .error), ("mirror, then disk lost", .error), ("x: disk lost, mirror works", .notice),
            ("error - error -7", .error), ("nothing", nil), ("", nil), ("a disk", nil), ("one mirror", .warning),
            ("is lost ", .error), ("lost is", nil),
        ] as [(String, Severity?)]
    )
    func anywhere(_ text: String, _ expected: Severity?) {
        #expect(anywhere(text) == expected)
    }
}
