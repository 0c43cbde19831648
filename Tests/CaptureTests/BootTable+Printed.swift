// SPDX-License-Identifier: Apache-2.0

// Logs of kernels and consoles that commands print and pagers show, and machines that are reset at a shell.
extension BootTable {
    private static let login = linux + "[    1.234567] Run /init\r\nweb login: root\r\nLast login: Mon\r\nroot@web:~# "
    private static let page = linux + "[    0.000001] Command line: x\r\n[    1.234567] Run /init\r\n"
    /// What a console showed of another machine's restart.
    private static let restart =
        "[ 5000.000000] reboot: Restarting system\r\n" + seaBIOS + "Booting from Hard Disk...\r\n" + linux

    static let printedLogs = [
        Row(
            name: "a pager on a screen of its own",
            pieces: [
                (0, login), (20_000, "dmesg | less\r\n"),
                (22_000, "«doubtful»\u{1b}[?1049h\u{1b}[22;0;0t\u{1b}[?1h\u{1b}=\r" + page + ":\u{1b}[K"),
                (25_000, "\r\u{1b}[K[    1.500000] x\r\n\u{1b}[7m(END)\u{1b}[27m\u{1b}[K"),
                (30_000, "\r\u{1b}[K\u{1b}[?1l\u{1b}>\u{1b}[?1049l\u{1b}[23;0;0troot@web:~# "),
            ]
        ),
        Row(
            name: "a pager on the terminal's screen, and back to the first line",
            pieces: [
                (0, login), (20_000, "less /var/log/dmesg\r\n"),
                (20_050, "«doubtful»\u{1b}[?1h\u{1b}=\r" + page + ":\u{1b}[K"),
                (25_000, "\r\u{1b}[K[    1.500000] x\r\n:\u{1b}[K"),
                (30_000, "\r\u{1b}[K\u{1b}[H\u{1b}M[    0.000001] Command line: x\r\n"),
                (30_000, "\u{1b}[H\u{1b}M" + linux + "\u{1b}[24;1H\r\u{1b}[K:\u{1b}[K"),
                (35_000, "«doubtful»\r\u{1b}[K\u{1b}[H\u{1b}M" + linux + "\u{1b}[24;1H\r\u{1b}[K:\u{1b}[K"),
                (37_000, "\r\u{1b}[K" + linux + ":\u{1b}[K"),
                (40_000, "\r\u{1b}[Kroot@web:~# "),
            ]
        ),
        Row(
            name: "a console's log with a restart in it, printed by a command",
            pieces: [
                (0, login), (20_000, "cat console.log\r\n«doubtful»" + page + restart + "web2 login: \r\nroot@web:~# "),
                (40_000, "uptime\r\n 10:00:40 up 0 min, 1 user\r\nroot@web:~# "), (50_000, "\r\n«reset»" + seaBIOS),
            ]
        ),
        Row(
            name: "the end of a console's log, printed by a command",
            pieces: [
                (0, login), (20_000, "tail -n 50 console.log\r\n[ 4999.000000] a\r\n" + restart + "root@web:~# "),
                (40_000, "uptime\r\n 10:00:40 up 0 min, 1 user\r\nroot@web:~# "),
            ]
        ),
        Row(
            name: "a console's log that begins with firmware, printed by a command typed without a pause",
            pieces: [
                (0, login + "cat console.log\r\n" + seaBIOS + "«doubtful»" + page + restart + "root@web:~# "),
                (40_000, "uptime\r\n 10:00:40 up 0 min, 1 user\r\nroot@web:~# "),
            ]
        ),
        Row(
            name: "a console's log with a panic in it, printed by a command",
            pieces: [
                (0, login),
                (20_000, "cat console.log\r\n«doubtful»" + page + "[ 5000.000000] Kernel panic - not syncing: x\r\n"),
                (20_000, "[ 5000.100000] ---[ end Kernel panic - not syncing: x ]---\r\nroot@web:~# "),
                (40_000, "uptime\r\n 10:00:40 up 0 min, 1 user\r\nroot@web:~# "),
            ]
        ),
        Row(
            name: "the log of a dump, printed by the program crash",
            pieces: [
                (0, login + "crash\r\ncrash> "),
                (20_000, "log\r\n«doubtful»" + page + "[ 5000.000000] Kernel panic - not syncing: x\r\ncrash> "),
                (40_000, "q\r\nroot@web:~# "),
            ]
        ),
        Row(
            name: "a reset while a command runs that prints nothing",
            pieces: [
                (0, login), (20_000, "sleep 1000\r\n"), (30_000, "«doubtful»" + seaBIOS + "«reset»"), (31_000, linux),
            ]
        ),
        Row(
            name: "a reset while a command runs, and a kernel at once",
            pieces: [
                (0, login), (20_000, "sleep 1000\r\n"),
                (30_000, "«doubtful»" + seaBIOS + "Booting from ROM..\r\n«reset»" + linux + "[    0.100000] a\r\n"),
                (40_000, "[   10.100000] b\r\n"),
            ]
        ),
        Row(
            name: "a reset while a command runs, into a quiet system at once",
            pieces: [
                (0, login), (20_000, "sleep 1000\r\n"),
                (30_000, "«doubtful»" + seaBIOS + "Booting from ROM..\r\nweb login: «reset»"),
            ]
        ),
        Row(
            name: "firmware's words in a file, found by a slow command",
            pieces: [
                (0, login), (20_000, "strings /dev/mtd0 | grep U-Boot\r\n"),
                (31_000, "«doubtful»U-Boot 2023.04 (Apr 03 2023)\r\nU-Boot SPL 2023.04\r\nroot@web:~# "),
                (40_000, "uptime\r\n 10:00:40 up 0 min, 1 user\r\nroot@web:~# "),
                (50_000, "strings grub.img | grep GRUB\r\n"),
                (50_200, "«doubtful»GNU GRUB  version 2.06\r\nroot@web:~# uptime\r\n"), (51_000, "root@web:~# "),
                (60_000, "\r\n«reset»" + seaBIOS),
            ]
        ),
        Row(
            name: "firmware's words in a pager",
            pieces: [
                (0, login), (20_000, "less console.log\r\n"),
                (20_200, "«doubtful»\u{1b}[?1h\u{1b}=\r" + seaBIOS + "Booting from Hard Disk...\r\n:\u{1b}[K"),
                (30_000, "\r\u{1b}[Kroot@web:~# "),
            ]
        ),
        Row(
            name: "a reset without firmware while a command runs, confirmed by the pace of the new kernel's clock",
            pieces: [
                (0, login), (20_000, "sleep 1000\r\n"), (30_000, "«doubtful»" + linux + "[    0.100000] a\r\n"),
                (31_000, "[    1.100000] b\r\n"), (32_200, "«kernel»[    2.300000] c\r\n"),
            ]
        ),
        Row(
            name: "a kexec by a command, too fast for a pause",
            pieces: [
                (0, login), (20_000, "kexec -e\r\n[   20.000000] kexec_core: Starting new kernel\r\n"),
                (20_050, linux), (20_500, "«kexec»«after-restart»[    0.400000] a\r\n"), (30_000, "web login: "),
            ]
        ),
    ]
}
