// SPDX-License-Identifier: Apache-2.0

// Beginnings and ends that are easily taken for something else.
extension BootTable {
    /// Resets without last words.
    static let resets = [
        Row(
            name: "the head of an old log, shown by a command, long before a reset without words",
            pieces: [
                (0, linux + "[   12.000000] a\r\n"),
                (100_000, "root@web:~# dmesg | head -1\r\n«doubtful»" + linux + "root@web:~# "),
                (3_700_000, "\r\n«doubtful»" + linux + "[    0.200000] b\r\n«kernel»"),
            ]
        ),
        Row(
            name: "a kernel that is reset two seconds after its firmware began, again and again",
            pieces: [
                (0, seaBIOS + "Booting from ROM..\r\n" + linux + "[    0.500000] triple fault next\r\n"),
                (2000, "«reset»" + seaBIOS + "Booting from ROM..\r\n" + linux + "[    0.500000] triple fault next\r\n"),
                (4000, "«reset»" + seaBIOS + "Booting from ROM..\r\n" + linux + "[    0.500000] triple fault next\r\n"),
                (6000, "«reset»" + seaBIOS + "Booting from ROM..\r\n" + linux + "[    0.500000] triple fault next\r\n"),
            ]
        ),
        Row(
            name: "a reset of a quiet kernel, of which a message with a stamp was seen",
            pieces: [
                (0, seaBIOS + "Booting from Hard Disk...\r\n[    1.200000] a message\r\n"),
                (3000, "«reset»" + seaBIOS + "Booting from Hard Disk...\r\n"),
                (4000, "GRUB loading.\r\nWelcome to GRUB!\r\n[    1.200000] a message\r\n"),
                (6000, "«reset»GRUB loading.\r\nWelcome to GRUB!\r\n[    0.900000] a message\r\n"),
            ]
        ),
        Row(
            name: "a machine whose kernel prints nothing, reset every four seconds",
            pieces: [
                (0, seaBIOS + "Booting from Hard Disk...\r\n"), (2000, "\r\nweb login: "),
                (4000, "«reset»" + seaBIOS + "Booting from Hard Disk...\r\n"), (6000, "\r\nweb login: "),
                (8000, "«reset»" + seaBIOS + "iPXE (https://ipxe.org) 00:03.0\r\nGRUB loading.\r\n"),
            ]
        ),
        Row(
            name: "two stages of U-Boot with a secure monitor between them",
            pieces: [
                (
                    0,
                    "U-Boot SPL 2023.01 (Jan 09 2023)\r\nNOTICE:  BL31: v2.9\r\nU-Boot 2023.01 (Jan 09 2023)\r\n"
                        + linux
                )
            ]
        ),
        Row(
            name: "a kernel whose clock starts anew soon after the last banner",
            isPoweredOn: false,
            pieces: [
                (0, "«reset»" + seaBIOS + linux + "[ 4000.000000] a\r\n"),
                (7000, "«doubtful»" + linux + "[    0.200000] b\r\n«kernel»"), (9000, "[    2.000000] c\r\n"),
            ]
        ),
        Row(
            name: "a kernel without firmware that is reset every two seconds",
            pieces: [
                (0, linux + "[    0.500000] a\r\n"), (2000, "«doubtful»" + linux + "[    0.500000] a\r\n«kernel»"),
                (4000, "«doubtful»" + linux + "[    0.500000] a\r\n«kernel»"),
            ]
        ),
        Row(
            name: "a kernel that repeats its log on another console after a pause",
            pieces: [
                (0, linux + "[    0.400000] a\r\n"),
                (1600, "«doubtful»" + linux + "[    0.400000] a\r\n[    1.600000] console [ttyS0] enabled\r\n"),
                (2500, "[    2.500000] b\r\n"),
            ]
        ),
        Row(
            name: "a kernel that repeats its log on another console",
            pieces: [
                (0, seaBIOS + linux + "[    0.000000] Command line: a\r\n"), (800, "[    0.700000] b\r\n"),
                (
                    900,
                    "«doubtful»" + linux
                        + "[    0.000000] Command line: a\r\n[    0.700000] b\r\n[    0.810000] c\r\n"
                ), (2000, "[    1.900000] d\r\nweb login: "),
            ]
        ),
        Row(
            name: "a script that prints all kernel messages soon after the start",
            pieces: [
                (0, linux + "[    2.000000] Run /sbin/init\r\n"),
                (5000, "«doubtful»" + linux + "[    2.000000] Run /sbin/init\r\nend of the test\r\n"),
            ]
        ),
    ]

    /// Panics that programs print, and those of kernels.
    static let quotedPanics = [
        Row(
            name: "an old panic that a command prints on the console of a kernel with stamps",
            pieces: [
                (0, linux + "[    1.000000] ok\r\nroot@web:~# "),
                (20_000, "grep -h panic /var/log/*\r\nKernel panic - not syncing: old one\r\nroot@web:~# "),
                (40_000, "uptime\r\n 10:00:40 up 0 min, 1 user\r\nroot@web:~# "),
            ]
        ),
        Row(
            name: "an old panic in a file that is followed",
            pieces: [
                (0, linux + "[    1.000000] ok\r\n"), (20_000, "Kernel panic - not syncing: old one\r\n"),
                (40_000, "uptime: 40 s\r\n[   41.000000] b\r\n"),
            ]
        ),
        Row(
            name: "an old panic with its stamp, and the prompt after it",
            pieces: [
                (0, linux + "[    1.000000] ok\r\nroot@web:~# "),
                (
                    20_000,
                    "cat /sys/fs/pstore/dmesg-0\r\n[   60.100000] Kernel panic - not syncing: old\r\n\u{1b}[?2004hroot@web:~# "
                ), (40_000, "uptime\r\n 10:00:40 up 0 min, 1 user\r\nroot@web:~# "),
            ]
        ),
        Row(
            name: "an old restart in the log of an earlier boot, and the prompt after it",
            pieces: [
                (0, linux + "[    1.000000] ok\r\nroot@web:~# "),
                (
                    20_000,
                    "cat /sys/fs/pstore/console-ramoops-0\r\n[   90.200000] reboot: Restarting system\r\nroot@web:~# "
                ),
                (40_000, "uptime\r\n 10:00:40 up 0 min, 1 user\r\nroot@web:~# "),
            ]
        ),
        Row(
            name: "an old power-off that a search finds, and the prompt after it",
            pieces: [
                (0, linux + "[    1.000000] ok\r\nroot@web:~# "),
                (20_000, "grep 'reboot:' /var/log/dmesg.0\r\n[   90.200000] reboot: Power down\r\nroot@web:~# "),
                (40_000, "uptime\r\n 10:00:40 up 0 min, 1 user\r\nroot@web:~# "),
            ]
        ),
        Row(
            name: "a hard reset into GRUB's menu, and a quiet kernel",
            pieces: [
                (0, linux + "[    1.000000] ok\r\n[   12.000000] fine\r\n"),
                (
                    20_000,
                    "«reset»\u{1b}[0m\u{1b}[30m\u{1b}[40m\u{1b}[2J\u{1b}[01;01H\u{1b}[0m\u{1b}[37m\u{1b}[40m\u{1b}[02;30HGNU GRUB  version 2.06-13+deb12u1\r\n"
                ), (25_000, "  Booting `Debian GNU/Linux'\r\n\r\nLoading Linux 6.1.0-18-amd64 ...\r\n"),
                (26_000, "Loading initial ramdisk ...\r\n"), (30_000, "\r\nweb login: "),
            ]
        ),
        Row(
            name: "an old panic on the console of a kernel without stamps, and the next command",
            pieces: [
                (0, version + "ok\r\nroot@web:~# "),
                (20_000, "cat old\r\nKernel panic - not syncing: old one\r\nroot@web:~# uptime\r\n 10:00:40 up\r\n"),
                (40_000, "root@web:~# "),
            ]
        ),
        Row(
            name: "an old panic that a slow command prints on the console of a kernel without stamps",
            pieces: [
                (0, version + "ok\r\nroot@web:~# "),
                (20_000, "grep -rh panic /\r\nKernel panic - not syncing: old one\r\n«panic»"),
                (25_000, "root@web:~# "), (40_000, "uptime\r\n 10:00:40 up 0 min, 1 user\r\nroot@web:~# "),
            ]
        ),
        Row(
            name: "a panic of a kernel without stamps after a command",
            pieces: [
                (0, version + "ok\r\n# "),
                (20_000, "exit\r\nKernel panic - not syncing: Attempted to kill init!\r\n«panic»"),
                (25_000, "«reset»" + seaBIOS),
            ]
        ),
        Row(
            name: "panics of kernels without stamps",
            pieces: [
                (0, version + "ok\r\nKernel panic - not syncing: x\r\nRebooting in 1 seconds..\r\n«panic»"),
                (2000, "«kernel»" + version + "ok\r\nweb login: "),
                (20_000, "root\r\nroot@web:~# dmesg | tail -1\r\n[   15.000000] a\r\nroot@web:~# "),
                (30_000, "\r\nKernel panic - not syncing: x\r\nRebooting in 1 seconds..\r\n«panic»"),
                (32_000, "«kernel»" + version),
            ]
        ),
        Row(
            name: "an old panic with its priority, which a program prints early in the next boot",
            pieces: [
                (0, linux + "[    3.000000] systemd-pstore[1]: PStore dmesg-efi-1 moved\r\n"),
                (100, "Oops#1 Part1\r\n<6>[ 5000.000000] foo\r\n<0>[ 5000.100000] Kernel panic - not syncing: x\r\n"),
                (2000, "[    5.000000] b\r\nweb login: "),
            ]
        ),
        Row(
            name: "a panic on the console of a kernel that prints priorities",
            pieces: [
                (0, "<5>" + linux + "<6>[    1.000000] ok\r\n"),
                (60_000, "<0>[   60.000000] Kernel panic - not syncing: x\r\n«panic»"), (70_000, "«reset»" + seaBIOS),
            ]
        ),
        Row(
            name: "a panic that a command causes",
            pieces: [
                (0, linux + "[    1.000000] ok\r\nroot@web:~# "),
                (
                    20_000,
                    "echo c > /proc/sysrq-trigger\r\n[   20.000000] Kernel panic - not syncing: sysrq\r\n"
                        + "[   20.000010] CPU: 0 PID: 1 Comm: sh Not tainted 6.1.0 #1\r\n«panic»"
                ), (30_000, "«reset»" + seaBIOS),
            ]
        ),
    ]

    /// A first line without a stamp.
    private static let version = "Linux version 6.1.0 (build@host) (gcc 12.2.0) #1 SMP\r\n"
}
