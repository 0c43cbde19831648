// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import TextFormats

@Suite("Alarms on a console", .blocking)
struct AlarmTests {
    private func severity(_ line: String) -> Severity? {
        Array(line.utf8).withUnsafeBytes { Severity(consoleLine: $0) }
    }

    @Test(
        "words with which programs begin lines too are a kernel's with the rest of its message only",
        arguments: [
            ("INFO: task 12 finished", nil), ("INFO: possible update available", nil),
            ("INFO: task kworker/0:1:77 blocked for more than 120 seconds.", .error),
            ("[   12.345678] INFO: task kworker/0:1:77 blocked for more than 120 seconds.", .error),
            ("[   12.345678] INFO: possible circular locking dependency detected", .warning),
        ] as [(String, Severity?)]
    )
    func beginnings(_ line: String, _ expected: Severity?) {
        #expect(severity(line).flatMap { $0 > .notice ? nil : $0 } == expected)
    }

    @Test(
        "kernels' messages of devices and processes have the level at which they are printed",
        arguments: [
            ("unregister_netdevice: waiting for eth0 to become free. Usage count = 1", .emergency),
            ("traps: foo[812] general protection fault ip:7f sp:7f error:0 in libc.so.6[7f+15]", .informational),
            ("traps: init[1] general protection fault ip:7f sp:7f error:0", .emergency),
            ("foo[812]: segfault at 0 ip 00 sp 00 error 4 in foo[40+1]", .informational),
            ("iwlwifi 0000:00:14.3: Failed to load firmware chunk!", .error),
            ("e100 0000:00:03.0: Direct firmware load for e100/d101m.bin failed with error -2", .warning),
            ("r8169 0000:02:00.0: firmware: failed to load rtl_nic/rtl8168h-2.fw (-2)", .error),
        ] as [(String, Severity?)]
    )
    func printed(_ line: String, _ expected: Severity?) {
        #expect(severity("[   17.000000] " + line) == expected)
    }

    @Test(
        "a failure is an error at least",
        arguments: [
            "/dev/vda1: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.",
            "rootfs: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.",
            "ALERT!  UUID=abc does not exist.  Dropping to a shell!", "ALERT! /dev/vda1 does not exist.",
            "Gave up waiting for root file system device.", "Gave up waiting for root device.  Common problems:",
            "[!!!!!!] Failed to start up manager.",
            "\u{1b}[0;1;31m[!!!!!!]\u{1b}[0m Failed to allocate manager object.",
            "[   12.000000] SError Interrupt on CPU0, code 0xbf000000 -- SError",
            "[   12.000000] EDAC MC0: 1 UE memory read error", "(XEN) Panic on CPU 0:",
            "\"Synchronous Abort\" handler, esr 0x96000045", "\"Error\" handler, esr 0xbf000000",
            "BdsDxe: failed to load Boot0001 \"UEFI QEMU DVD-ROM\"",
            "[FAIL] Starting web server: apache2 failed!", "[\u{1b}[31mFAIL\u{1b}[39;49m] startpar: failed",
            "Starting httpd: \u{1b}[60G[\u{1b}[0;31mFAILED\u{1b}[0;39m]", "Starting httpd:   [FAILED]",
            "Starting httpd:                                            [\u{1b}[0;31mFAILED\u{1b}[0;39m]\r\n",
            " * Starting sshd ...\u{1b}[60G \u{1b}[34;01m[ \u{1b}[31;01m!!\u{1b}[34;01m ]\u{1b}[0m",
            "Starting sshd ... [ !! ]",
            "[DEPEND] Dependency failed", "[\u{1b}[0;1;33mDEPEND\u{1b}[0m] Dependency failed for x\r\n",
            "2026-01-01T00:00:00Z ERROR foo::bar: failed", "2026-01-01T00:00:00.123456Z ERROR failed",
            "2026-01-01 00:00:00,123 ERROR [main] x", "2026-01-01 00:00:00.123+02:00 FATAL x",
            "2026-01-01 00:00:00,123 [main] FATAL com.example.App - x",
            "[main] FATAL com.example.App - x", "[2026-01-01 00:00:00] [main] ERROR x",
            "0 [main] FATAL com.example.App - x",
            "2026-01-01 00:00:00.123 1234 ERROR nova.compute.manager [-] x",
            "00:00:00.123 [main] ERROR com.example.App - x", "2026-01-01 00:00:00 [error] 7#7: failed",
            "E0329 12:00:00.123456 1 x.go:1] msg", "F0329 12:00:00.123456       1 x.go:1] msg",
        ]
    )
    func isError(_ line: String) {
        #expect(severity(line).map { $0.rawValue <= Severity.error.rawValue } ?? false)
    }

    @Test(
        "a word is no failure",
        arguments: [
            "an error in the kitchen", "no error was found", "0 errors", "0 errors, 0 warnings", "/var/log/error.log",
            "cat /var/log/error.log", "tail: /var/log/httpd/error_log: file truncated",
            "[    2.000000] EXT4-fs (vda1): mounted filesystem with ordered data mode. Opts: errors=remount-ro",
            "/dev/vda1 / ext4 rw,relatime,errors=remount-ro 0 0", "/dev/vda1: clean, 11/100 files", "Gave up smoking",
            "[    1.000000] EDAC MC: Ver: 3.0.0", "[    1.000000] EDAC MC0: 1 CE memory read error on CPU",
            "[    1.000000] RAS: Correctable Errors collector initialized.",
            "(XEN) Xen version 4.17", "[ !! Sale !! ]", "[FAILS] x", "the tag [FAILED] means that a job failed",
            "Starting httpd: \u{1b}[60G[\u{1b}[0;32m  OK  \u{1b}[0;39m]", "* Starting sshd ... [ ok ]",
            "2026-01-01T00:00:00Z INFO foo::bar: no ERROR here", "2026-01-01T00:00:00Z foo ERROR",
            "2026-01-01 00:00:00,123 [main] INFO  com.example.App - FATAL is a level",
            "00:00:00 up 1 day", "2026-01-01", "2026-01-01 ERRORS", "2026-01-01T00:00:00Z", "E0329", "E0329 is a part",
            "E0329 12:00:00", "I0329 12:00:00.123456 1 x.go:1] error", "\"Error\" is a word", "ALERTS! none",
            "[main] INFO FATAL", "[main] Error handling", "[a] ERRORS", "[1/3] FATALITIES", "[ ] ERROR", "[!]",
            "[!!] x",
            "BdsDxe: loading Boot0001", "Dependency failed to be a problem", "Everyone panic!",
        ]
    )
    func isNone(_ line: String) {
        #expect(severity(line).map { $0.rawValue > Severity.error.rawValue } ?? true)
    }

    @Test("the level of a line with a time is its severity, whichever it is")
    func levels() {
        #expect(severity("2026-01-01T00:00:00Z  WARN foo: x") == .warning)
        #expect(severity("2026-01-01T00:00:00Z DEBUG foo: x") == .debug)
        #expect(severity("W0329 12:00:00.123456 1 x.go:1] msg") == .warning)
        #expect(severity("I0329 12:00:00.123456 1 x.go:1] msg") == .informational)
        #expect(severity("F0329 12:00:00.123456 1 x.go:1] msg") == .critical)
    }
}
