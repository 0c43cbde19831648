// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing

@testable import TextFormats

@Suite("The severity of a console line", .blocking)
struct ConsoleSeverityTests {
    private func severity(_ line: String) -> Severity? {
        Array(line.utf8).withUnsafeBytes { Severity(consoleLine: $0) }
    }

    @Test(
        "a line's own severity is recognized",
        arguments: [
            ("<3>[    1.000000] ata1: failed\n", .error), ("<0>Kernel panic - not syncing\n", .emergency),
            ("<34>Oct 11 22:14:15 mymachine su: failed\n", .critical), ("<191>x", .debug),
            ("[    1.000000] Kernel panic - not syncing: VFS\n", .emergency),
            ("[    1.000000][    T1] BUG: unable to handle page fault\n", .alert),
            ("[    1.000000] WARNING: CPU: 0 PID: 1 at kernel/x.c\n", .warning),
            ("[    1.000000] Out of memory: Killed process 12 (java)\n", .error),
            ("[\u{1b}[0;1;31mFAILED\u{1b}[0m] Failed to start thing.service\r\n", .error),
            ("\u{1b}[0m[\u{1b}[0;1;33mDEPEND\u{1b}[0m] Dependency failed for x\n", .error),
            ("[  OK  ] Reached target\n", .informational), ("[ WARN ] x\n", .warning), ("[ TIME ] x\n", .error),
            ("[error] x\n", .error), ("ERROR: x\n", .error), ("ERROR x\n", .error), ("warning: x\n", .warning),
            ("FATAL\tx\n", .critical), ("time=1 level=error msg=x\n", .error), ("lvl=\"warn\" msg=x\n", .warning),
            (#"{"ts":1,"level":"DEBUG","msg":"x"}"#, .debug), (#"{"severity": "critical"}"#, .critical),
        ] as [(String, Severity)]
    )
    func known(_ line: String, _ expected: Severity) {
        #expect(severity(line) == expected)
    }

    @Test(
        "a line without a severity has none",
        arguments: [
            "", "\n", "<", "<>", "<1234>x", "[", "[]", "[FAILED", "[    1.000000] usb 1-1: reset\n", "error in x\n",
            "errors: 3\n", "sublevel=error", "level=", "level=3", "level", "=error", ":", "[  nope  ] x", "Info ok",
        ]
    )
    func unknown(_ line: String) {
        #expect(severity(line) == nil)
    }

    @Test("no bytes cause a crash")
    func fuzz() {
        var generator = SeededGenerator(seed: .random(in: 0...UInt64.max))
        let pieces = [
            "2026-01-01T00:00:00", "E0329 ", "12:00:00.1 ", "Z ", "[ !! ]", "\u{1b}[m", "[", "]", "<", ">", "level",
            "=", ":", "\"", "error", "FAILED", " ", "\u{1b}[1m",
        ]
        for _ in 0..<20_000 {
            var line: [UInt8] = []
            for _ in 0..<Int.random(in: 0...6, using: &generator) {
                line += pieces.randomElement(using: &generator)!.utf8
            }
            line += HostileText.make(using: &generator)
            _ = line.withUnsafeBytes { Severity(consoleLine: $0) }
        }
    }
}
