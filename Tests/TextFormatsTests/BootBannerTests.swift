// SPDX-License-Identifier: Apache-2.0

import TestSupport
import TestTraits
import Testing

@testable import TextFormats

@Suite("Boot banners", .blocking)
struct BootBannerTests {
    private func banner(_ line: String) -> BootBanner? {
        Array(line.utf8).withUnsafeBytes { BootBanner(line: $0) }
    }

    @Test(
        "real banners of machines are recognized",
        arguments: [
            ("\u{1b}c\u{1b}[?7l\u{1b}[2J\u{1b}[0mSeaBIOS (version rel-1.14.0-0-g155821a)\r\n", .firmware(.seaBIOS)),
            ("SeaBIOS (version 1.16.3-debian-1.16.3-2)\n", .firmware(.seaBIOS)),
            (
                "\u{1b}[2J\u{1b}[01;01H\u{1b}[=3h\u{1b}[2J\u{1b}[01;01HBdsDxe: loading Boot0001 \"UEFI Misc Device\"\r\n",
                .firmware(.edk2)
            ),
            ("BdsDxe: starting Boot0002 \"UEFI Misc Device\" from PciRoot(0x0)/Pci(0x3,0x0)\n", .firmware(.edk2)),
            ("UEFI firmware (version edk2-stable202408 built at 16:28:50 on Sep 12 2024)\n", .firmware(.edk2)),
            ("\rU-Boot 2017.03 (May 11 2021 - 09:15:14 +0000)\r\n", .firmware(.uBoot)),
            ("U-Boot SPL 2021.01 (Jan 11 2021 - 18:11:43 +0000)\n", .firmware(.uBoot)),
            ("coreboot-4.0-r6474 Sat Apr  9 19:13:09 CEST 2011 starting...\n", .firmware(.coreboot)),
            ("[NOTE ]  coreboot-4.22 Fri Nov 24 2023 x86_32 bootblock starting\n", .firmware(.coreboot)),
            ("[    0.000000] Linux version 4.4.0-28-generic (buildd@lcy01-13)\r\n", .kernel),
            ("<5>[    0.000000] Linux version 6.1.0 (root@host)\n", .kernel),
            ("[    0.000000][    T0] Linux version 5.12.0-rc4 (root@syzbot)\n", .kernel),
            ("\u{0}\r[    0.512345] Linux version 6.1.0\n", .kernel),
            ("Booting from ROM..\u{1b}c\u{1b}[?7l\u{1b}[2J[    0.000000] Linux version 6.1.0\n", .kernel),
            ("Booting from Hard Disk...[    0.000000] Linux version 6.1.0\n", .kernel),
            ("[    1.234567] Kernel panic - not syncing: VFS: Unable to mount root fs\n", .panic),
            ("<0>Kernel panic - not syncing: Attempted to kill init!\n", .panic),
            ("[  600.000000] reboot: Restarting system\n", .restarting),
            ("<5>[  600.000000] reboot: Restarting system with command 'recovery'\n", .restarting),
            ("reboot: Power down", .powerDown),
            ("[   12.000001] reboot: Power down\r\n", .powerDown),
            ("[   12.000001] reboot: System halted\r\n", .halted),
            (
                "\u{1b}]3008;start=" + String(repeating: "f", count: 300)
                    + "\u{1b}\\[    0.000000] Linux version 6.1\n",
                .kernel
            ),
        ] as [(String, BootBanner)]
    )
    func known(_ line: String, _ expected: BootBanner) {
        #expect(banner(line) == expected)
    }

    @Test(
        "similar lines are not recognized",
        arguments: [
            "", "\n", "\r\n", "[", "<", "<5>", "[    0.000000]", "[    0.000000] ", "\u{1b}", "\u{1b}[", "\u{1b}]",
            "Linux version 6.1.0 (root@host)\n", "[   77.000000] Linux version 6.1.0\n",
            "[    0.000000]Linux version 6.1.0\n", "[    0.0] Linux version 6.1.0\n", "<5>Linux version 6.1.0\n",
            "[    2.000000] Command line: Linux version 6.1.0\n",
            "[    1.300000] ---[ end Kernel panic - not syncing: VFS ]---\n", "echo Kernel panic - not syncing\n",
            "U-Boot is a boot loader\n", "coreboot\n", "SeaBIOS\n", "reboot: machine restart\n",
            "[  OK  ] Reached target\n",
            "Booting from ROM...\n", "[NOTE ]  CBFS: Found\n",
        ]
    )
    func unknown(_ line: String) {
        #expect(banner(line) == nil)
    }

    @Test("nothing after the look-ahead is read")
    func bounded() {
        let noise = String(repeating: "\r", count: BootBanner.lookAhead)
        #expect(banner(noise + "SeaBIOS (version 1)") == nil)
    }

    @Test("no bytes cause a crash, and the look-ahead alone gives the same result")
    func fuzz() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let pieces = [
            "\u{1b}[", "\u{1b}c", "\u{1b}]", "<5>", "[    0.000000]", "[    T0]", " ", "Linux version ", "9", "\r",
        ]
        for round in 0..<20_000 {
            var line: [UInt8] = []
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                line += pieces.randomElement(using: &generator)!.utf8
            }
            line += HostileText.make(using: &generator)
            let whole = line.withUnsafeBytes { BootBanner(line: $0) }
            let head = Array(line.prefix(BootBanner.lookAhead)).withUnsafeBytes { BootBanner(line: $0) }
            if whole != head {
                Issue.record("seed \(seed), round \(round), line \(line)")
                return
            }
        }
    }
}
