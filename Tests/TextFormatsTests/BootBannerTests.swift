// SPDX-License-Identifier: Apache-2.0

import TestSupport
import TestTraits
import Testing

@testable import TextFormats

@Suite("Boot banners", .blocking)
struct BootBannerTests {
    private func banner(_ line: String) -> BootBanner? {
        Array(line.utf8).withUnsafeBytes {
            let banner = BootBanner(line: $0)
            #expect(banner == nil || BootLine.mayTell($0))
            return banner
        }
    }

    @Test(
        "real banners of machines are recognized",
        arguments: [
            ("\u{1b}c\u{1b}[?7l\u{1b}[2J\u{1b}[0mSeaBIOS (version rel-1.14.0-0-g155821a)\r\n", .firmware(.seaBIOS)),
            ("SeaBIOS (version 1.16.3-debian-1.16.3-2)\n", .firmware(.seaBIOS)),
            (
                "\u{1b}[2J\u{1b}[01;01H\u{1b}[=3h\u{1b}[2J\u{1b}[01;01HBdsDxe: loading Boot0001 \"UEFI Misc Device\"\r\n",
                .loader
            ),
            ("BdsDxe: starting Boot0002 \"UEFI Misc Device\" from PciRoot(0x0)/Pci(0x3,0x0)\n", .loader),
            ("UEFI firmware (version edk2-stable202408 built at 16:28:50 on Sep 12 2024)\n", .firmware(.edk2)),
            ("\rU-Boot 2017.03 (May 11 2021 - 09:15:14 +0000)\r\n", .firmware(.uBoot)),
            ("U-Boot 1.1.3 (Jul 26 2013 - 14:23:35)\n", .firmware(.uBoot)),
            ("U-Boot SPL 2021.01 (Jan 11 2021 - 18:11:43 +0000)\n", .firmware(.uBoot)),
            ("coreboot-4.0-r6474 Sat Apr  9 19:13:09 CEST 2011 starting...\n", .firmware(.coreboot)),
            ("[NOTE ]  coreboot-4.22 Fri Nov 24 2023 x86_32 bootblock starting\n", .firmware(.coreboot)),
            ("[    0.000000] Linux version 4.4.0-28-generic (buildd@lcy01-13)\r\n", .kernel(.linux)),
            ("<5>[    0.000000] Linux version 6.1.0 (root@host)\n", .kernel(.linux)),
            ("[    0.000000][    T0] Linux version 5.12.0-rc4 (root@syzbot)\n", .kernel(.linux)),
            ("\u{0}\r[    0.512345] Linux version 6.1.0\n", .kernel(.linux)),
            ("Booting from ROM...\n", .loader),
            ("[4294667.296000] Linux version 2.6.12-10-386 (buildd@host)\n", .kernel(.linux)),
            ("[   1.0000000] Copyright (c) 1996, 1997, 1998, 1999\n", .kernel(.bsd)),
            ("Linux version 6.1.0 (root@host)\n", .kernelVersion),
            ("barebox 2023.04.0 #1 Tue Apr 11 2023\n", .firmware(.barebox)),
            ("[    0.012345678,5] OPAL v6.5 starting...\n", .firmware(.skiboot)),
            ("OPAL v6.5 starting...\n", .firmware(.skiboot)),
            ("Copyright (c) 2003-2024 The DragonFly Project.\n", .kernel(.bsd)),
            ("*** Booting Zephyr OS build v3.5.0-2541-g1e ***\n", .kernel(.zephyr)),
            ("[    0.000000] (0)[0:swapper]Linux version 4.19.191\n", .kernel(.linux)),
            ("[    0.000000] I[0:      swapper:    0] Linux version 4.19.87\n", .kernel(.linux)),
            ("[    1.200000] Linux version 6.1.0\n", .kernel(.linux)),
            ("[   60.000000] (2)[812:sh]Kernel panic - not syncing: x\n", .end(.panic, .linux)),
            ("OpenSBI v1.2\n", .firmware(.openSBI)), ("SLOF\u{1b}[0m\u{1b}[?25l ****\n", .firmware(.slof)),
            ("panic[cpu1]/thread=ffffff: BAD TRAP\n", .end(.panic, .illumos)),
            ("panic: vm_fault failed\n", .end(.panic, .bsd)),
            ("(XEN) Xen version 4.17.2 (x@y)\r\n", .kernel(.xen)), ("(XEN) Panic on CPU 3:\r\n", .end(.panic, .xen)),
            ("systemd-shutdown[1]: Powering off.\r\n", .request(.powerDown)),
            ("\rRequesting system halt\r\n", .request(.halt)),
            ("[    1.234567] Kernel panic - not syncing: VFS: Unable to mount root fs\n", .end(.panic, .linux)),
            ("<0>Kernel panic - not syncing: Attempted to kill init!\n", .end(.panic, .linux)),
            ("[  600.000000] reboot: Restarting system\n", .end(.restart, .linux)),
            ("<5>[  600.000000] reboot: Restarting system with command 'recovery'\n", .end(.restart, .linux)),
            ("reboot: Power down", .end(.powerDown, .linux)),
            ("[   12.000001] reboot: Power down\r\n", .end(.powerDown, .linux)),
            ("[   12.000001] reboot: System halted\r\n", .end(.halt, .linux)),
            (
                "\u{1b}]3008;start=" + String(repeating: "f", count: 300)
                    + "\u{1b}\\[    0.000000] Linux version 6.1\n",
                .kernel(.linux)
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
            "[   77.000000] Linux version 6.1.0\n",
            "[    0.000000]Linux version 6.1.0\n", "panic: runtime error: index out of range\n",
            "[    2.000000] Command line: Linux version 6.1.0\n",
            "echo Kernel panic - not syncing\n",
            "U-Boot is a boot loader\n", "coreboot\n", "SeaBIOS\n", "reboot: cold\n",
            "[  OK  ] Reached target\n",
            "[NOTE ]  CBFS: Found\n", "Copyright (c) 2003-2024 Some Project\n", "Copyright (c) 2003\n",
            "[    0.012345678,5] CPU0\n", "barebox\n", "OPAL\n", "*** Booting\n", "[    1.000000] (2)[812:sh]x\n",
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

    @Test("no bytes cause a crash, the look-ahead alone gives the same result, and the first two bytes miss none")
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
            let isMissed = line.withUnsafeBytes {
                let told = BootLine($0)
                let followsText = KernelStamp.first(in: $0).map { $0 > 0 } ?? false
                return (told.banner != nil || told.stamp != nil) && !BootLine.mayTell($0) && !followsText
            }
            if whole != head || isMissed {
                Issue.record("seed \(seed), round \(round), line \(line)")
                return
            }
        }
    }
}
