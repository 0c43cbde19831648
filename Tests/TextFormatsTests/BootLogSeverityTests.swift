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
        check(log.text)
    }

    @Test(
        "a message of the kernel has the same severity on its console, behind syslog's time and host, and in dmesg",
        arguments: KernelLines.all.map(\.name),
        ["[   12.345678] ", "2024-01-01T10:00:00.123456+00:00 web kernel: ", "[Mon Jan  1 10:00:00 2024] "]
    )
    func messages(_ name: String, _ prefix: String) throws {
        let lines = try #require(KernelLines.all.first { $0.name == name })
        check(lines.text, prefix)
    }

    @Test("other systems' last words are alarms, and words like them are none", arguments: SystemLines.all.map(\.name))
    func systems(_ name: String) throws {
        let lines = try #require(SystemLines.all.first { $0.name == name })
        check(lines.text)
    }

    @Test("the level that a program writes in its usual place is the severity, and a word in its message is none")
    func programs() {
        check(ProgramLines.all)
    }

    /// Expects of each line of `log` the severity that its first letter says; the line follows `prefix`.
    private func check(_ log: String, _ prefix: String = "") {
        var (falseAlarms, missed): ([String], [String]) = ([], [])
        for line in log.split(separator: "\n", omittingEmptySubsequences: false) where !line.isEmpty {
            let expected = Self.letters[line.first!]
            let text = String(line.dropFirst())
            let found = Array((prefix + text + "\r\n").utf8).withUnsafeBytes { Severity(consoleLine: $0) }
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
