// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import TextFormats

@Suite("The severity of whole boot logs", .blocking)
struct BootLogSeverityTests {
    private static let letters: [Character: Severity] = [
        "w": .warning, "e": .error, "c": .critical, "a": .alert, "m": .emergency,
    ]

    @Test("there are no false alarms, and none is missed", arguments: BootLogs.all.map(\.name))
    func alarms(_ name: String) throws {
        let log = try #require(BootLogs.all.first { $0.name == name })
        var (falseAlarms, missed): ([String], [String]) = ([], [])
        for line in log.text.split(separator: "\n", omittingEmptySubsequences: false) where !line.isEmpty {
            let expected = Self.letters[line.first!]
            let text = String(line.dropFirst())
            let found = Array((text + "\r\n").utf8).withUnsafeBytes { Severity(consoleLine: $0) }
            switch (expected, found) {
            case (nil, let found?) where found.rawValue <= Severity.warning.rawValue: falseAlarms.append(text)
            case (let expected?, _) where found != expected: missed.append("\(text): \(found?.name ?? "none")")
            default: break
            }
        }
        #expect(falseAlarms.isEmpty)
        #expect(missed.isEmpty)
    }
}
