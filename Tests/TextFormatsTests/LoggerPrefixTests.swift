// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import TextFormats

@Suite("What precedes a kernel's stamp on its line", .blocking)
struct LoggerPrefixTests {
    private static let stamp = "[   10.000000] "

    /// Prefixes that clients of a console, relays and hypervisors write before each line.
    private static let clients = [
        // tio, minicom, conserver.
        "[10:12:45.123] ", "\u{1b}[1;33m[10:12:45.123]\u{1b}[0m ", "[10:12] ", "[2024-01-01T10:12:45.123] ",
        "[2024-01-01 10:12:45] ", "[Mon Jan  1 10:00:00 2024] ", "[1704103200.123] ",
        // ts and grabserial.
        "Nov 30 05:00:00 ", "Nov  3 05:00:00 ", "00:00:05 ", "1704103200.123456 ", "[0.000001 0.000001] ",
        // Container runtimes, docker compose, kubectl, and loggers.
        "2024-01-01T10:00:00.123Z stdout F ", "2024-01-01T10:00:00.123456789+01:00 stderr P ", "web-1  | ",
        "web-1  | 2024-01-01T10:00:00Z ", "[pod/web/log] ", "Nov 30 05:00:00 web relay[812]: ", "relay[812]: ",
        "2024-01-01 10:00:00,123 - serial - INFO - ", "2024-01-01 10:00:00.123 UTC [812] lab@web LOG: ",
        "\u{1b}[2J\u{1b}[1;1H10:12:45 ",
        // Xen.
        "(XEN) ", "(d1) ", "[10:12:45.123] (XEN) ",
    ]
    private static let logs = [
        "Nov 20 17:00:05 web kernel: ", "kernel: ", "kern.warn kernel: ", "kernel:", "web kernel - - - ",
        "<4>1 2024-01-01T10:00:00Z web kernel - - - ", "kern  :err   : ", "kern  :err   : \u{1b}[32m",
    ]
    private static let quotations = [
        #"{"msg":""#, #"{"time":"2024-01-01T10:00:00Z","level":"info","msg":""#, #"msg=""#, "b'", "/var/log/dmesg:",
        "kern.log:12:", "12:",
    ]
    /// Text that a kernel interrupts.
    private static let other = [
        "login: ", "web login: ", "root@web:~# ", "$ ", "> ", "C:\\>", "% ", "[root@web ~]# ",
        "[10:00:00] root@web:~# ",
        "[10:12:45.123] web login: ", "10:00:00 Password: ", "copy 10%", "10%\r20%", "[10:00:00] copy 10% ",
        "100%|████| 10/10 [00:10<00:00,  1.00it/s]", "50%|=====     |", "[=====>    ] ", "[  OK  ] ", "[ ok ] ",
        "[***   ] A start job is running for udev (10s / 1min 30s)", "10:00:00 Starting udev...", "Starting udev: ",
        "udev - ", "Loading \\", "kern  :error : ", "Mounting \"root\"", "x", "[   10.000000] ",
        "[   10.000000] half a",
        "[10:12:45.123] [   10.000000] half a ", "52:54:00:12:34:56", "net0: 52:54:00:12:34:56 using ", "foo\r",
        "10:00:00 \u{8}", "10:00:00 and a line of many words ", "2:00 ",
        String(repeating: "x", count: 300) + " kernel: ",
    ]

    private func rows(_ line: String) -> [String] {
        DisplayedText.cut(Array(line.utf8), limit: 65_536).map { DisplayedText.show($0) }
    }

    @Test("a line is not divided at the stamp behind a logger's prefix", arguments: clients + logs + quotations)
    func whole(_ prefix: String) {
        let lines = rows(prefix + Self.stamp + "BUG: x\r\n" + prefix + "<4>" + Self.stamp + "y\r\n")
        #expect(lines.count == 2, "\(lines)")
        #expect(lines.first?.hasSuffix(Self.stamp + "BUG: x") ?? false)
    }

    @Test("a stamp behind other text begins a line", arguments: other)
    func divided(_ text: String) {
        let lines = rows(text + Self.stamp + "BUG: x\r\n")
        #expect(lines.count > 1)
        #expect(lines.last == Self.stamp + "BUG: x")
    }

    @Test("a kernel's first line is seen behind a client's prefix, and not in a copy of its log")
    func banners() {
        func line(_ prefix: String, _ text: String) -> (BootBanner?, Int64?) {
            Array((prefix + text).utf8).withUnsafeBytes {
                let line = BootLine($0)
                return (line.banner, line.stamp)
            }
        }
        for prefix in Self.clients where !prefix.hasSuffix("(XEN) ") {
            #expect(line(prefix, "[    0.000000] Linux version 6.1\r\n") == (.kernel(.linux), 0), "\(prefix)")
            #expect(line(prefix, "[   10.000000] reboot: Restarting system\n") == (.end(.restart, .linux), 10_000_000))
            #expect(line(prefix, "<5>[    0.000000] Linux version 6.1\r\n") == (.kernel(.linux), 0), "\(prefix)")
        }
        for prefix in Self.logs + Self.quotations where prefix != "b'" {
            #expect(line(prefix, "[    0.000000] Linux version 6.1\r\n") == (nil, nil), "\(prefix)")
        }
    }

    @Test("Xen's first and last words are seen behind its time")
    func xen() {
        func line(_ text: String) -> (BootBanner?, Int64?) {
            Array(text.utf8).withUnsafeBytes {
                #expect(BootLine.mayTell($0) || !text.hasPrefix("("))
                let line = BootLine($0)
                return (line.banner, line.stamp)
            }
        }
        for time in ["", "[    0.000000] ", "[2024-01-01 10:00:00.123] "] {
            #expect(line("(XEN) \(time)Xen version 4.17.3 (Debian)\r\n") == (.kernel(.xen), nil))
            #expect(line("(XEN) \(time)Panic on CPU 0:\r\n") == (.end(.panic, .xen), nil))
        }
        #expect(line("[10:12:45.123] (XEN) [    0.000000] Xen version 4.17.3\r\n") == (.kernel(.xen), nil))
        #expect(line("(XEN) Domain 0 crashed: rebooting machine in 5 seconds.\r\n") == (.end(.restart, .xen), nil))
        #expect(line("Xen version 4.17.3\r\n") == (nil, nil))
    }

    @Test("a kernel's message has its severity behind a logger's prefix, but not in a quotation")
    func severities() {
        func severity(_ line: String) -> Severity? {
            Array(line.utf8).withUnsafeBytes { Severity(consoleLine: $0) }
        }
        // A log's own level comes first.
        let levels = ["kern ", "kern.", "<4>"]
        for prefix in Self.clients + Self.logs where !levels.contains(where: prefix.hasPrefix) {
            #expect(severity(prefix + Self.stamp + "BUG: unable to handle page fault\r\n") == .alert, "\(prefix)")
            let ordinary = severity(prefix + Self.stamp + "EXT4-fs (vda1): mounted\r\n")
            #expect(ordinary == (prefix.contains("INFO") ? .informational : nil), "\(prefix)")
        }
        #expect(severity("/var/log/dmesg:" + Self.stamp + "BUG: unable to handle page fault\r\n") == nil)
    }
}
