// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import TextFormats

@Suite("What precedes a console line's message", .blocking)
struct ConsolePrefixTests {
    private func severity(_ line: String) -> Severity? {
        Array((line + "\r\n").utf8).withUnsafeBytes { Severity(consoleLine: $0) }
    }

    @Test(
        "a kernel's message has its severity behind each prefix with which it is passed on",
        arguments: [
            // The kernel's console, also with CONFIG_PRINTK_CALLER.
            "[   12.345678] ", "[   12.345678][    T1] ",
            // Syslog daemons: RFC 3164, and RFC 3339 as rsyslog and journalctl write it.
            "Oct 11 22:14:15 web kernel: ", "Oct 11 22:14:15 web kernel: [12345.678901] ",
            "Oct  1 22:14:15 web kernel: ", "Oct 11 22:14:15.123456 web kernel: ",
            "2024-01-01T10:00:00.123456+00:00 web kernel: ",
            "2024-01-01T10:00:00.123456+00:00 web kernel: [12345.678901] ", "2024-01-01T10:00:00+0000 web kernel: ",
            "[   12.345678] web kernel: ", "kernel: ", "kernel: [12345.678901] ", "kernel:[12345.678901] ",
            // dmesg -T, -e or -H, and -d.
            "[Mon Jan  1 10:00:00 2024] ", "[Fri Jul 30 11:26:11 2021] ", "[Jan 1 10:00] ", "[Jul30 11:26] ",
            "[  +0.000012] ", "[   12.345678 <    0.000012>] ",
        ]
    )
    func kernel(_ prefix: String) {
        #expect(severity(prefix + "BUG: unable to handle page fault for address: 0") == .alert)
        #expect(severity(prefix + "ata1.00: failed command: READ DMA") == .error)
        #expect(severity(prefix + "EXT4-fs (vda1): mounted filesystem. Opts: errors=remount-ro") == nil)
    }

    @Test(
        "a program's message has its severity behind a time and a host",
        arguments: [
            "", "[   12.345678] ", "Oct 11 22:14:15 web ", "2024-01-01T10:00:00.123456+00:00 web ",
            "2024-01-01T10:00:00+0000 web ", "[   12.345678] web ",
        ]
    )
    func program(_ prefix: String) {
        #expect(severity(prefix + "systemd[1]: Failed to start Foo.") == .error)
        #expect(severity(prefix + "sshd[812]: error: no address") == .error)
        #expect(severity(prefix + "sshd[812]: no error") == nil)
    }

    @Test(
        "the level that dmesg -x writes is the severity",
        arguments: [
            ("kern  :err   : [3618282.310743] ata1: link", .error), ("kern  :err   : ata1: link", .error),
            ("kern  :info  : [    1.000000] error: x", .informational), ("daemon:warn  : [    1.000000] x", .warning),
            ("kern  :emerg : [Mon Jan  1 10:00:00 2024] x", .emergency), ("authpriv:notice: [    1.000000] x", .notice),
            ("local0:debug : [    1.000000] x", .debug), ("user  :crit  : x", .critical),
            ("kern  :err  : x", nil), ("kern :err   : x", nil), ("kern  :error : x", nil), ("kern  :err   :x", nil),
        ] as [(String, Severity?)]
    )
    func level(_ line: String, _ expected: Severity?) {
        #expect(severity(line) == expected)
    }

    @Test("a hypervisor's time may precede its alarms")
    func xen() {
        #expect(severity("(XEN) [    1.234567] Panic on CPU 0:") == .emergency)
        #expect(severity("(XEN) [2024-01-01 10:00:00.123] Panic on CPU 0:") == .emergency)
    }

    @Test(
        "a level behind a time is no host, and a host is no level",
        arguments: [
            ("Jan  1 10:00:00 ERROR no disk", .error), ("2024-01-01T10:00:00Z ERROR no disk", .error),
            ("2024-01-01T10:00:00Z INFO store: error: x", .informational),
            ("2024-01-01T10:00:00Z web store: no error", nil), ("2024-01-01T10:00:00Z web ERROR", nil),
            ("Oct 11 22:14:15 web last message repeated 2 times", nil), ("Oct 11 22:14:15 error-box cron: x", nil),
            ("[   12.345678] usb hub: no error", nil), ("[Mon Jan", nil), ("[Mon Jan  1 10:00:00 2024]", nil),
            ("[   1.2", nil), ("[Sale 1 10:00] BUG: x", nil),
        ] as [(String, Severity?)]
    )
    func hosts(_ line: String, _ expected: Severity?) {
        #expect(severity(line) == expected)
    }
}
