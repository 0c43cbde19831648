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
            ("     [   20.223456] Kernel panic - not syncing: x\n", .emergency), ("\t<4>[    2.000000] x\n", .warning),
            ("    \u{1b}[0m[   20.223456] Kernel panic - not syncing: x\r\n", .emergency),
            ("   [FAILED] Failed to start x\n", .error),
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
        "the level that an appliance states is recognized",
        arguments: [
            ("*Apr 12 09:54:40.040: %LINK-3-UPDOWN: Interface Lsmpi0, changed state to up", .error),
            ("*Mar  1 00:00:12.345: %SYS-2-MALLOCFAIL: Memory allocation failed", .critical),
            ("%ASA-1-104001: (Primary) Switching to ACTIVE", .alert), ("%SYS-SP-5-RESTART: System restarted", .notice),
            ("RP/0/RP0/CPU0:Nov 30 10:00:00.000 : ifmgr[200]: %PKT_INFRA-LINK-3-UPDOWN : Interface x Down", .error),
            ("Nov 30 10:00:00 leaf1 Stp: %SPANTREE-6-INTERFACE_ADD: x", .informational),
            ("2026 Nov 30 10:00:00 n9k %$ VDC-1 %$ %USER-0-SYSTEM_MSG: error: x", .emergency),
            ("Nov 30 10:00:00 vmx mgd[812]: %DAEMON-3-UI_CHILD_WAITPID: x", .error), ("%AUTH-6: x", .informational),
            ("load 5%-3-X: y", nil), ("%LINK-9-UPDOWN: x", nil), ("%LINK-3-UPDOWN", nil), ("%LINK-3-UP DOWN: x", nil),
            ("100% A-3-B: x", nil), ("%-3-B: x", nil), ("%3-B: x", nil), ("%", nil), ("%A", nil), ("%A--3-B: x", nil),
            ("2026-11-30T10:00:00.000Z cpu0:2097152)WARNING: NMP: x", .warning), ("cpu0:2097152)ALERT: x", .alert),
            ("0:00:00:05.123 cpu1:2098000 opID=4711)WARNING: x", .warning), ("cpu0:2097152)Boot: x", nil),
            ("2026-11-30T10:00:00.000Z Wa(180) vmkwarning: cpu0:2097152)WARNING: x", .warning),
            ("2026-11-30T10:00:00.000Z Er(179) vmkernel: x", .error), ("In(182) vmkernel: error: x", .informational),
            ("Er(x) y", nil), ("cpu0:1 2)ALERT: x", nil),
            ("10:00:00 system,error,critical login failure for user admin", .critical),
            ("nov/30/2026 10:00:00 dhcp,critical,error x", .critical),
            ("echo: system,info,account user x", .informational),
            ("10:00:00 interface,warning l2tp-out1 x", .warning), ("10:00:00 route,ospf x", nil),
            ("10:00:00 Hello,error x", nil),
        ] as [(String, Severity?)]
    )
    func appliances(_ line: String, _ expected: Severity?) {
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

    @Test(
        "words that look like an alarm are none",
        arguments: [
            ("Error: 0", nil), ("Warning: none", nil), ("critical: 0", nil), ("panic: 0", nil),
            ("rsyslogd: error: 0 messages", nil), ("rsyslogd: error: none", nil), ("Fatal: None", nil),
            ("[    1.000000] blk_update_request: 0", nil), ("[    1.000000] nvme: I/O errors: 0", nil),
            ("error: 0x12 is bad", .error), ("error: 0 of 3 disks found", .error), ("error: none of them", .error),
            ("ERROR:", .error), ("DEBUG: panic: x", .debug), ("info: error: x", .informational),
            (#"msg="set level: error" level=info"#, .informational), (#"msg="set level=error" k=v"#, nil),
            (#"msg="unfinished level=error"#, nil), (#"msg="a \"b\" c" level=error"#, .error),
            ("k=v,level=error", .error), ("level: error in a sentence", nil), ("  level: error", nil),
            (#"{"message":"a level=error","level":"info"}"#, .informational), (#"{"message":"level=error"}"#, nil),
            (#"{"message":"a \"level\":\"error\"","level":"info"}"#, .informational),
            (#"{"labels":{"level":"error"},"level":"info"}"#, .informational),
            (#"{"log":{"level":"error"},"msg":"x"}"#, .error), (#"{ "level" : "error"}"#, .error),
            (#"{"level":"error"#, .error), (#"{"level":"#, nil), (#"{"level"#, nil), (#"{""#, nil),
        ] as [(String, Severity?)]
    )
    func lookAlikes(_ line: String, _ expected: Severity?) {
        #expect(severity(line) == expected)
    }

    @Test("no bytes cause a crash")
    func fuzz() {
        var generator = SeededGenerator(seed: .random(in: 0...UInt64.max))
        let pieces = [
            "2026-01-01T00:00:00", "E0329 ", "12:00:00.1 ", "Z ", "[ !! ]", "\u{1b}[m", "[", "]", "<", ">", "level",
            "=", ":", "\"", "{\"level\"", "\\", "error", "FAILED", " ", "\u{1b}[1m",
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
