// SPDX-License-Identifier: Apache-2.0

// Machines of which the console does not show everything.
extension BootTable {
    private static let xen =
        "(XEN) Xen version 4.17.2 (builder@host) (gcc 12.2.0) debug=n\r\n(XEN) Bootloader: GRUB\r\n"
    private static let windows = "Computer is booting, SAC started and initialized.\r\n\r\nSAC>"

    /// Kernels of which only warnings are on the console.
    static let withoutFirstLines = [
        Row(
            name: "a reset of a quiet kernel, whose stamps begin anew and keep pace with the clock",
            pieces: [
                (0, linux + "[    5.000000] EXT4-fs mounted\r\nweb login: "),
                (12_000, "«doubtful»[    0.313370] Initramfs unpacking failed: junk\r\n"),
                (15_000, "«kernel»[    3.500000] EXT4-fs (vda1): mounted\r\n"),
                (17_000, "[    5.500000] foo\r\nweb login: "), (19_000, "[    8.000000] foo\r\n"),
            ]
        ),
        Row(
            name: "a reset of a kernel of which stamps alone were seen",
            isPoweredOn: false,
            pieces: [
                (0, "[  100.000000] a\r\n"), (100_000, "[  200.000000] b\r\n"),
                (112_000, "\r\n«doubtful»[    0.500000] c\r\n"), (112_600, "[    1.100000] d\r\n"),
                (113_200, "[    1.700000] e\r\n"), (113_800, "[    2.300000] f\r\n"),
                (114_700, "«kernel»[    3.200000] g\r\n"), (120_000, "\r\nweb login: "),
                (130_000, "[   18.500000] h\r\n"),
            ]
        ),
        Row(
            name: "some old messages that a script prints",
            pieces: [
                (0, linux + "[   30.000000] a\r\n"),
                (60_000, "«doubtful»[    0.300000] usb 1\r\n[    1.800000] usb 2\r\n[   45.000000] usb 3\r\n"),
                (62_000, "[   92.000000] b\r\n"), (65_000, "[   95.000000] c\r\n"),
            ]
        ),
        Row(
            name: "old messages that are printed as slowly as they came, at a slow port",
            pieces: [(0, linux + "[   30.000000] a\r\n"), (60_000, "«doubtful»[    0.100000] b\r\n")]
                + (1...30).map { tenth in
                    (
                        60_000 + Int64(tenth) * 100,
                        "[    \(tenth / 10).\(tenth % 10)40000] c\r\n[    \(tenth / 10).\(tenth % 10)90000] d\r\n"
                    )
                } + [(63_200, "[   93.200000] e\r\n"), (70_000, "[  100.000000] f\r\n")]
        ),
        Row(
            name: "some old messages that a command prints",
            pieces: [
                (0, linux + "[   30.000000] a\r\nroot@web:~# "),
                (60_000, "dmesg | grep usb\r\n[    0.300000] usb 1\r\n[    1.800000] usb 2\r\nroot@web:~# "),
                (63_000, "[   93.000000] b\r\n"),
            ]
        ),
        Row(
            name: "a machine that was suspended, and goes on where it was",
            pieces: [
                (0, linux + "[    5.000000] a\r\n"), (3_600_000, "[    5.100000] b\r\n"),
                (3_603_000, "[    8.100000] c\r\n"),
            ]
        ),
        Row(
            name: "a program that counts its own time, and the kernel beside it",
            pieces: [
                (0, linux + "[   30.000000] a\r\n"), (60_000, "«doubtful»[    0.000100] begin\r\n"),
                (61_000, "[    1.000100] step\r\n"), (61_500, "[   91.500000] b\r\n"),
                (62_000, "«doubtful»[    2.000100] step\r\n"),
            ]
        ),
        Row(
            name: "the words of init, where those of the kernel are on another console",
            pieces: [
                (0, linux + "web login: "),
                (50_000, "[  OK  ] Reached target reboot.target - System Reboot.\r\n"),
                (52_000, "systemd-shutdown[1]: Rebooting.\r\n«restart»"), (55_000, "«after-restart»web login: "),
                (90_000, "The system is going down NOW!\r\n"),
                (92_000, "\rRequesting system reboot\r\n«restart»"), (95_000, "«after-restart»web login: "),
                (120_000, "\rRequesting system poweroff\r\n«power-down»"), (123_000, "«after-restart»web login: "),
                (130_000, "systemd-shutdown[1]: Rebooting with kexec.\r\n«kexec»"),
                (133_000, "«after-restart»web login: "),
            ]
        ),
        Row(
            name: "a kernel without stamps that stops its devices after init's words",
            pieces: [
                (0, "Linux version 6.1.0 (b@h) (gcc 12) #1 SMP\r\nRun /init as init process\r\n# "),
                (50_000, "\rRequesting system poweroff\r\n«power-down»"),
                (51_000, "sd 0:0:0:0: [sda] Synchronizing SCSI cache\r\n"),
                (51_010, "ACPI: PM: Preparing to enter system sleep state S5\r\nreboot: Power down\r\n"),
            ]
        ),
        Row(
            name: "a kernel whose stamps were not seen before, and that stops its devices after init's words",
            isPoweredOn: false,
            pieces: [
                (0, "web login: "), (50_000, "\rsystemd-shutdown[1]: Powering off.\r\n«power-down»"),
                (51_000, "[12345.600000] sd 0:0:0:0: [sda] Stopping disk\r\n"),
                (51_010, "[12345.610000] reboot: Power down\r\n"),
            ]
        ),
    ]

    /// GRUB's menu, as it paints it at a serial port.
    private static let menu =
        "\u{1b}[H\u{1b}[J\u{1b}[1;1H\u{1b}[?25l\u{1b}[2;30HGNU GRUB  version 2.06\u{1b}[4;2H+---+\u{1b}[5;2H|*Debian|"
    private static let choice =
        "\u{1b}[0m\u{1b}[6;1H\u{1b}[2J\u{1b}[1;1H  Booting `Debian GNU/Linux'\r\n\r\nLoading initial ramdisk ...\r\n"

    /// Systems whose kernels print nothing, behind loaders that have the console.
    static let quietSystems = [
        Row(
            name: "a quiet system behind GRUB, reset at its login prompt",
            pieces: [
                (0, menu), (1000, choice), (6000, "web login: "), (18_000, "«reset»" + menu), (19_000, choice),
                (25_000, "web login: "),
            ]
        ),
        Row(
            name: "a system of which the login prompt is the first words, reset",
            pieces: [(0, "web login: "), (12_000, "«reset»" + menu), (13_000, choice), (18_000, "web login: ")]
        ),
        Row(
            name: "a quiet system with a shell on its console, reset",
            pieces: [
                (0, menu), (1000, choice), (6000, "\r\nroot@web:~# "), (18_000, "«reset»" + menu), (19_000, choice),
                (25_000, "\r\n[root@web ~]# "), (40_000, "«reset»" + menu), (41_000, choice),
                (46_000, "\r\n/ # "), (60_000, "«reset»" + menu),
            ]
        ),
        Row(
            name: "the prompt of a boot loader",
            pieces: [
                (0, "U-Boot 2023.01 (Jan 09 2023)\r\n\r\nhisilicon # "),
                (5000, "run other\r\nEFI stub: Booting Linux Kernel...\r\n"), (20_000, linux),
            ]
        ),
    ]

    /// A hypervisor under the first system, and a system that is reset often.
    static let hypervisor = [
        Row(
            name: "Xen, its first system, and its ends",
            pieces: [
                (0, xen), (1500, linux + "[    1.000000] a\r\n"),
                (60_000, "(XEN) Hardware Dom0 shutdown: rebooting machine\r\n«restart»"), (64_000, "«kernel»" + xen),
                (80_000, linux + "[    0.200000] b\r\n"),
                (99_000, "(XEN) \r\n(XEN) Panic on CPU 0:\r\n(XEN) FATAL TRAP: vector = 2\r\n"),
                (99_100, "(XEN) Reboot in five seconds...\r\n«panic»"), (105_000, "«kernel»" + xen), (106_000, linux),
            ]
        ),
        Row(
            name: "Xen with its time before each line",
            pieces: [
                (0, "(XEN) [    0.000000] Xen version 4.17.3 (Debian)\r\n(XEN) [    1.000000] Bootloader: GRUB\r\n"),
                (1500, linux + "[    1.000000] a\r\nlogin: "), (90_000, "\r\n(XEN) [  100.123456] Panic on CPU 0:\r\n"),
                (90_100, "(XEN) [  100.2] Reboot in five seconds...\r\n«panic»"),
                (96_000, "«kernel»(XEN) [    0.000000] Xen version 4.17.3 (Debian)\r\n"), (97_000, linux),
            ]
        ),
        Row(
            name: "a relay that writes the time before each line",
            pieces: [
                (0, "[10:00:00.000] " + linux + "[10:00:01.000] [    1.000000] a\r\n"),
                (60_000, "[10:01:00.000] [   60.000000] b\r\n"),
                (80_000, "«doubtful»[10:01:20.000] " + linux + "[10:01:21.000] [    1.000000] c\r\n"),
                (85_000, "«kernel»[10:01:25.000] [    6.000000] Kernel panic - not syncing: x\r\n«panic»"),
                (90_000, "«kernel»[10:01:30.000] " + linux),
            ]
        ),
        Row(
            name: "Xen without words before, and its messages at a shell",
            pieces: [
                (0, xen + linux + "[   20.000000] a\r\nroot@dom0:~# "),
                (60_000, "xl dmesg\r\n«doubtful»" + xen + "(XEN) Dom0 has maximum 2 VCPUs\r\nroot@dom0:~# "),
                (62_000, "[   82.000000] c\r\n"),
                (90_000, "\r\n«doubtful»" + xen + "«kernel»"), (94_000, linux + "[    0.200000] b\r\n"),
            ]
        ),
        Row(
            name: "Windows, reset every five seconds",
            pieces: [
                (0, windows), (5000, "\r\n«doubtful»" + windows + "«kernel»"),
                (10_000, "\r\n«doubtful»" + windows + "«kernel»"), (40_000, "restart\r\n"),
            ]
        ),
    ]
}
