// SPDX-License-Identifier: Apache-2.0

// Systems other than the usual Linux.
extension BootTable {
    static let otherSystems = [
        Row(
            name: "FreeBSD",
            pieces: [
                (0, "---<<BOOT>>---\r\nCopyright (c) 1992-2023 The FreeBSD Project.\r\nlogin: one\r\n"),
                (11_000, "panic: vm_fault failed: ffffffff80f00000 error 1\r\ncpuid = 1\r\n"),
                (11_100, "Uptime: 2m13s\r\nDumping 123 out of 2012 MB:«panic»"), (13_000, "..20%..40%"),
                (15_000, "..100%\r\nDump complete\r\nRebooting...\r\n"),
                (16_000, "«kernel»---<<BOOT>>---\r\nCopyright (c) 1992-2023 The FreeBSD Project.\r\nlogin: two\r\n"),
                (40_000, "«doubtful»---<<BOOT>>---\r\nCopyright (c) 1992-2023 The FreeBSD Project.\r\n«kernel»"),
                (60_000, "Uptime: 1m2s\r\nacpi0: Powering system off\r\n«power-down»"),
            ]
        ),
        Row(
            name: "OpenBSD",
            pieces: [
                (0, ">> OpenBSD/amd64 BOOT 3.65\r\nboot> \r\nbooting hd0a:/bsd: 123\r\n"),
                (2000, "Copyright (c) 1982, 1986, 1989, 1991, 1993\r\nOpenBSD 7.4 (GENERIC.MP) #1397: Tue\r\n"),
                (30_000, "OpenBSD 7.4 (GENERIC.MP) #1397: Tue\r\n\r\nWelcome to OpenBSD\r\n"),
                (60_000, "syncing disks... done\r\nrebooting...\r\n«restart»"),
                (62_000, "«reset»>> OpenBSD/amd64 BOOT 3.65\r\n"),
                (64_000, "Copyright (c) 1982, 1986, 1989, 1991, 1993\r\n"),
                (90_000, "panic: kernel diagnostic assertion\r\nStopped at db_enter\r\nddb{0}> «panic»"),
                (99_000, "boot reboot\r\nrebooting...\r\n"), (101_000, "«reset»>> OpenBSD/amd64 BOOT 3.65\r\n"),
                (103_000, "Copyright (c) 1982, 1986, 1989, 1991, 1993\r\n"),
                (130_000, "uvm_fault(0xffffffff81e4d4e0, 0x0, 0, 1) -> e\r\nkernel: page fault trap, code=0\r\n"),
                (130_000, "Stopped at      foo+0x12:  movq\r\nddb{0}> «panic»"),
                (140_000, "\r\n«reset»>> OpenBSD/amd64 BOOT 3.65\r\n"),
            ]
        ),
        Row(
            name: "NetBSD",
            pieces: [
                (0, ">> NetBSD/x86 BIOS Boot, Revision 5.11\r\n"),
                (2000, "[   1.0000000] Copyright (c) 1996, 1997, 1998\r\n[   1.0000000] NetBSD 9.3 (GENERIC)\r\n"),
                (30_000, "[  29.0000000] rebooting...\r\n«restart»"),
                (31_000, "«reset»>> NetBSD/x86 BIOS Boot, Revision 5.11\r\n"),
            ]
        ),
        Row(
            name: "illumos",
            pieces: [
                (0, "Loading unix...\r\nSunOS Release 5.11 Version joyent_20210101T000000Z 64-bit\r\n"),
                (30_000, "panic[cpu0]/thread=fffffe0007a05c40: BAD TRAP: type=e\r\n«panic»"),
                (32_000, "dumping to /dev/zvol/dsk/zones/dump, offset 6\r\n100% done\r\n"),
                (34_000, "rebooting...\r\n"),
                (36_000, "«kernel»SunOS Release 5.11 Version joyent_20210101T000000Z 64-bit\r\n"),
                (60_000, "syncing file systems... done\r\nPress any key to reboot.\r\n«halt»"),
                (70_000, "rebooting...\r\n«kernel»SunOS Release 5.11 Version joyent_20210101T000000Z 64-bit\r\n"),
                (90_000, "syncing file systems... done\r\npowering off...\r\n«power-down»"),
            ]
        ),
        Row(
            name: "DragonFly, Zephyr, and firmware of boards",
            pieces: [
                (0, "barebox 2023.04.0 #1 Tue Apr 11 2023\r\n\r\nBoard: x\r\n"),
                (
                    2000,
                    "Copyright (c) 2003-2024 The DragonFly Project.\r\nCopyright (c) 1992-2003 The FreeBSD Project.\r\n"
                ),
                (20_000, "login: "), (30_000, "\r\nrebooting...\r\n«restart»"),
                (32_000, "«kernel»Copyright (c) 2003-2024 The DragonFly Project.\r\n"),
                (60_000, "\r\n«reset»[    0.012345678,5] OPAL v6.5 starting...\r\n"),
                (70_000, "«reset»[    0.012345678,5] OPAL v6.5 starting...\r\n"),
                (72_000, "*** Booting Zephyr OS build v3.5.0 ***\r\nx\r\n"),
                (80_000, ">>> ZEPHYR FATAL ERROR 0: CPU exception on CPU 0\r\n«panic»"),
                (82_000, "«kernel»*** Booting Zephyr OS build v3.5.0 ***\r\nx\r\n"),
                (90_000, "«doubtful»*** Booting Zephyr OS build v3.5.0 ***\r\nx\r\n«kernel»"),
            ]
        ),
        Row(
            name: "vendors' kernels, and one whose clock goes on from the loader's",
            pieces: [
                (0, "[    0.000000] (0)[0:swapper]Linux version 4.19\r\n[    1.000000] (0)[1:init]a\r\n"),
                (30_000, "«doubtful»[    0.000000] (0)[0:swapper]Linux version 4.19\r\n«kernel»"),
                (60_000, "«doubtful»[    0.000000] I[0:      swapper:    0] Linux version 4.19\r\n«kernel»"),
                (90_000, "«doubtful»[    1.200000] Linux version 6.1.0\r\n[    1.400000] a\r\n«kernel»"),
            ]
        ),
        Row(
            name: "Windows on its emergency console",
            pieces: [
                (0, "<?xml version=\"1.0\"?>\r\nComputer is booting, SAC started and initialized.\r\n\r\nSAC>"),
                (30_000, "\r\n*** STOP: 0x0000007E (0xC0000005,0x0)\r\n«panic»"),
                (40_000, "«kernel»Computer is booting, SAC started and initialized.\r\n\r\nSAC>"),
            ]
        ),
    ]
}
