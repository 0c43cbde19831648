// SPDX-License-Identifier: Apache-2.0

/// Consoles and the boots on them, written by hand: what a reader of the text would say.
///
/// In a row's text «…» is where the marker of an event belongs, before the next character.
enum BootTable {
    struct Row: CustomStringConvertible, Sendable {
        var name: String
        /// Whether the transport saw the machine being switched on; otherwise it has been running.
        var isPoweredOn = true
        /// What is received, and when, in milliseconds.
        var pieces: [(milliseconds: Int64, text: String)]

        var description: String { name }
    }

    static let linux = "[    0.000000] Linux version 6.1.0 (build@host) (gcc 12.2.0) #1 SMP\r\n"
    static let seaBIOS = "\u{1b}c\u{1b}[?7l\u{1b}[2J\u{1b}[0mSeaBIOS (version 1.16.2-debian-1.16.2-1)\r\n"

    static let rows: [Row] =
        paused + quietSystems + resets + printedLogs + quotedPanics + doubts + hypervisor

    /// Those in which a pause more tells nothing: no prompt decides anything.
    static let paused: [Row] =
        machines + loops + commandsOfFirmware + lastWords + firmware + otherSystems + withoutFirstLines + dividedWords

    private static let machines = [
        Row(
            name: "firmware, loader and kernel after power-on",
            pieces: [
                (0, seaBIOS + "iPXE (https://ipxe.org) 00:03.0\r\n\r\nBooting from Hard Disk...\r\n"),
                (1500, "GRUB loading.\r\nWelcome to GRUB!\r\n"), (6000, linux + "[    0.700000] a\r\n"),
                (9000, "\r\nweb login: "),
            ]
        ),
        Row(
            name: "a crash loop of two seconds",
            pieces: [
                (0, linux + "[    0.500000] one\r\n[    0.900000] Kernel panic - not syncing: init!\r\n"),
                (1, "[    0.900001] Rebooting in 1 seconds..\r\n«panic»"),
                (2000, "«kernel»" + linux + "[    0.900000] Kernel panic - not syncing: init!\r\n«panic»"),
                (4000, "«kernel»" + linux + "[    0.500000] three\r\n"),
            ]
        ),
        Row(
            name: "a crash loop without a pause",
            pieces: [
                (0, linux + "[    0.100000] Kernel panic - not syncing: x\r\nRebooting in 1 seconds..\r\n"),
                (100, "«panic»«kernel»" + linux + "[    0.100000] Kernel panic - not syncing: x\r\n"),
                (200, "«panic»«kernel»" + linux + "[    0.100000] Kernel panic - not syncing: x\r\n«panic»"),
            ]
        ),
        Row(
            name: "a quiet kernel restarts",
            pieces: [
                (0, "\r\nFedora Linux 40\r\n\r\nweb login: first\r\n[   95.000001] reboot: Restarting system\r\n"),
                (3, "[   95.000009] reboot: machine restart\r\n«restart»"),
                (12_000, "\r\n«after-restart»Fedora Linux 40\r\n\r\nweb login: second\r\n"),
            ]
        ),
        Row(
            name: "a quiet kernel restarts and shows its prompt alone",
            pieces: [
                (0, "web login: first\r\n[   95.000001] reboot: Restarting system\r\n«restart»"),
                (12_000, "«after-restart»web login: "),
            ]
        ),
        Row(
            name: "a quiet kernel restarts, and a message of the next one has an earlier stamp",
            pieces: [
                (0, linux), (95_000, "[   95.000001] reboot: Restarting system\r\n"),
                (95_100, "«restart»«after-restart»[    0.210000] x86/cpu: a message\r\n"),
                (95_900, "web login: "),
            ]
        ),
        Row(
            name: "kexec",
            pieces: [
                (0, linux), (60_000, "[   60.000000] kexec_core: Starting new kernel\r\n"),
                (60_200, "«kexec»«kernel»" + linux), (61_000, "[    0.800000] a\r\n"),
            ]
        ),
        Row(
            name: "a panic, its crash kernel, and the restart",
            pieces: [
                (0, linux), (60_000, "[   60.100000] Kernel panic - not syncing: sysrq triggered crash\r\n"),
                (60_001, "[   60.100010] CPU: 0 PID: 1 Comm: sh\r\n[   60.100020] Call Trace:\r\n"),
                (60_200, "«panic»«kernel»" + linux + "[    0.000000] Command line: irqpoll reset_devices\r\n"),
                (65_000, "[    5.000000] saving vmcore\r\n[    5.100000] reboot: Restarting system\r\n«restart»"),
                (66_000, "«reset»" + seaBIOS), (67_000, linux),
            ]
        ),
        Row(
            name: "words between an end and the next boot's firmware belong to the boot that ended",
            pieces: [
                (0, linux), (9000, "[    9.000000] Kernel panic - not syncing: x\r\n[    9.000001] CPU: 0\r\n"),
                (9100, "[    9.100000] ---[ end Kernel panic - not syncing: x ]---\r\n«panic»"),
                (10_000, "[   10.000000] a late message\r\n"), (70_000, "«reset»" + seaBIOS + linux),
            ]
        ),
    ]

    private static let lastWords = [
        Row(
            name: "a goodbye on the line of an open prompt",
            pieces: [
                (0, linux + "web login: "), (50_000, "[   50.000001] reboot: Restarting system\r\n«restart»"),
                (51_000, "«reset»" + seaBIOS),
            ]
        ),
        Row(
            name: "older kernels' last words, with and without a stamp",
            pieces: [
                (0, linux + "[    1.000000] Restarting system.\r\n«restart»"),
                (1000, "«reset»" + seaBIOS + linux + "Power down.\r\n«power-down»"),
                (2000, "«reset»" + seaBIOS + linux + "System halted.\r\n«halt»"),
                (3000, "«reset»" + seaBIOS + linux + "Restarting system with command 'fastboot'.\r\n«restart»"),
            ]
        ),
        Row(
            name: "a restart by SysRq",
            pieces: [
                (0, linux + "root@web:~# echo b > /proc/sysrq-trigger\r\n"),
                (20_000, "[   20.000000] sysrq: Resetting\r\n"), (20_100, "«restart»«kernel»" + linux),
            ]
        ),
        Row(
            name: "the first end of a boot is used",
            pieces: [
                (0, linux + "[    1.000000] Kernel panic - not syncing: x\r\nRestarting system.\r\n«panic»"),
                (1000, "«reset»" + seaBIOS),
            ]
        ),
    ]

    private static let doubts = [
        Row(
            name: "a reset at a shell, confirmed by the login prompt after it",
            pieces: [
                (
                    0,
                    linux + "[    1.000000] Run /init as init process\r\nDebian GNU/Linux 12 vm ttyS0\r\n\r\nvm login: "
                ),
                (11_000, "root\r\nroot@vm:~# "), (20_000, "./crash\r\n"),
                (20_800, "«doubtful»" + linux + "[    0.650000] a\r\n"),
                (
                    21_600,
                    "[    1.300000] Run /init as init process\r\nDebian GNU/Linux 12 vm ttyS0\r\n\r\nvm login: «kernel»"
                ),
            ]
        ),
        Row(
            name: "a reset soon after the first login prompt, confirmed by the second",
            pieces: [
                (0, linux + "[    0.900000] Run /init as init process\r\nvm login: "),
                (2000, "\r\n«doubtful»" + linux + "[    0.900000] Run /init as init process\r\nvm login: «kernel»"),
            ]
        ),
        Row(
            name: "dmesg at a shell, and the login prompt after it",
            pieces: [
                (0, linux + "[    1.000000] Run /sbin/init\r\nweb login: "), (11_000, "root\r\nroot@web:~# "),
                (12_000, "dmesg | head -1\r\n«doubtful»" + linux + "root@web:~# "),
                (14_000, "exit\r\nlogout\r\n\r\nweb login: "),
            ]
        ),
        Row(
            name: "a console's log, shown at a shell with its login prompts",
            pieces: [
                (0, linux + "[    1.000000] Run /sbin/init\r\nweb login: "), (11_000, "root\r\nroot@web:~# "),
                (12_000, "cat boot.log\r\n«doubtful»" + linux + "web login: root\r\nweb login: root@web:~# "),
            ]
        ),
        Row(
            name: "dmesg at a shell",
            pieces: [
                (0, linux + "[    1.000000] Run /sbin/init\r\nweb login: root\r\n"),
                (
                    11_000,
                    "root@web:~# dmesg | head -2\r\n«doubtful»\u{1b}[?2004l\r" + linux
                        + "[    0.000000] Command line: a\r\nroot@web:~# "
                ),
                (12_000, "[   12.500000] usb 1-1: new device\r\n"), (20_000, "[   20.400000] usb 1-1: gone\r\n"),
            ]
        ),
        Row(
            name: "all kernel messages, printed by a script",
            pieces: [
                (0, linux + "[    2.000000] Run /sbin/init\r\n"), (100_000, "[  100.000000] a test failed\r\n"),
                (
                    101_000,
                    "«doubtful»" + linux + "[    2.000000] Run /sbin/init\r\n[  100.000000] a test failed\r\n"
                ),
                (103_000, "[  103.000000] b\r\nend of the test\r\n"),
            ]
        ),
        Row(
            name: "old kernel messages, of a kernel whose clock was not seen",
            isPoweredOn: false,
            pieces: [
                (
                    5000,
                    "«doubtful»" + linux + "[    0.300000] a\r\n[   14.000000] b\r\n[ 5000.000000] c\r\n"
                ), (7000, "[ 5002.000000] d\r\n"),
            ]
        ),
        Row(
            name: "a reset without words, confirmed by the pause after the first lines",
            pieces: [
                (0, linux + "[    1.000000] a\r\n"),
                (60_000, "«doubtful»" + linux + "[    0.200000] b\r\n«kernel»"), (62_000, "[    2.000000] c\r\n"),
            ]
        ),
        Row(
            name: "a reset without words, confirmed by the new kernel's clock",
            pieces: [
                (0, linux + "[    1.000000] a\r\n"), (60_000, "«doubtful»" + linux), (60_400, "[    0.400000] b\r\n"),
                (60_800, "[    0.800000] c\r\n"), (61_200, "«kernel»[    1.200000] d\r\n"),
            ]
        ),
        Row(
            name: "a kernel whose clock begins before its wrap",
            pieces: [
                (0, "[4294667.296000] Linux version 2.6.12-10-386 (buildd@host) (gcc version 3.4.5) #1\r\nfirst\r\n"),
                (
                    11_000,
                    "«doubtful»[4294667.296000] Linux version 2.6.12-10-386 (buildd@host) (gcc version 3.4.5) #1\r\nsecond\r\n«kernel»"
                ),
            ]
        ),
        Row(
            name: "a kernel that starts on the line of an open prompt",
            pieces: [(0, linux + "web login: "), (11_000, "«kernel»" + linux + "[    0.200000] b\r\n")]
        ),
        Row(
            name: "the version of the kernel, printed by a command",
            pieces: [
                (0, linux + "root@web:~# cat /proc/version\r\n"),
                (20_000, "Linux version 6.1.0 (build@host) (gcc 12.2.0) #1 SMP\r\nroot@web:~# "),
            ]
        ),
        Row(
            name: "a program in Go that panics",
            pieces: [
                (0, linux + "[    1.000000] a\r\n"), (20_000, "panic: no configuration\n\ngoroutine 1 [running]:\n"),
                (22_000, "Rebooting...\r\nweb login: "),
            ]
        ),
    ]

    private static let firmware = [
        Row(
            name: "a reset while a prompt is open",
            pieces: [
                (0, linux + "web login: "), (11_000, "«reset»" + seaBIOS + "\r\nBooting from Hard Disk...\r\n"),
                (13_000, linux),
            ]
        ),
        Row(
            name: "firmware that begins on the line of an open prompt",
            pieces: [(0, linux + "web login: "), (11_000, "«reset»U-Boot 2023.01 (Jan 09 2023 - 16:07:33 +0000)\r\n")]
        ),
        Row(
            name: "noise of an UART before the banner",
            pieces: [
                (0, linux + "[    1.000000] reboot: Restarting system\r\n«restart»"),
                (1000, "«reset»\u{0}\u{0}\r\u{1b}[0m" + seaBIOS), (2000, "\u{0}" + linux),
            ]
        ),
        Row(
            name: "the stages of a RISC-V machine, reset by its firmware",
            pieces: [
                (0, "U-Boot SPL 2023.01 (Jan 09 2023)\r\n\r\nOpenSBI v1.2\r\n\r\nU-Boot 2023.01 (Jan 09 2023)\r\n"),
                (2000, "=> reset\r\nresetting ...\r\n«restart»"),
                (3000, "«reset»U-Boot SPL 2023.01 (Jan 09 2023)\r\n\r\nOpenSBI v1.2\r\n"),
                (4000, "U-Boot 2023.01 (Jan 09 2023)\r\nStarting kernel ...\r\n\r\n" + linux),
            ]
        ),
        Row(
            name: "EDK2 tries to boot from the network for minutes",
            pieces: [
                (0, "UEFI firmware (version edk2-stable202302 built at 1:2:3)\r\nBdsDxe: loading Boot0001\r\n"),
                (60_000, "BdsDxe: failed to load Boot0001\r\nBdsDxe: loading Boot0002\r\n"),
                (120_000, "BdsDxe: starting Boot0002\r\n" + linux),
            ]
        ),
        Row(
            name: "a loader whose firmware has no console",
            pieces: [
                (0, linux + "web login: "), (30_000, "\r\n«reset»GRUB loading.\r\nWelcome to GRUB!\r\n"),
                (36_000, linux),
            ]
        ),
        Row(
            name: "SLOF, the firmware of POWER machines",
            pieces: [
                (0, linux), (30_000, "[   30.000000] reboot: Restarting system\r\n«restart»"),
                (31_000, "\r\n«reset»SLOF\u{1b}[0m\u{1b}[?25l **********\r\nQEMU Starting\r\n"), (32_000, linux),
            ]
        ),
        Row(
            name: "an Arm machine: trusted firmware, EDK2 and the kernel's first line",
            pieces: [
                (0, "NOTICE:  BL1: v2.9(release)\r\nNOTICE:  BL2: v2.9\r\nNOTICE:  BL31: v2.9\r\n"),
                (1000, "UEFI firmware (version edk2 built at 1:2:3)\r\nEFI stub: Booting Linux Kernel...\r\n"),
                (2000, "[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x410fd034]\r\n" + linux),
                (30_000, "[   30.000000] reboot: Power down\r\n«power-down»"),
            ]
        ),
    ]
}
