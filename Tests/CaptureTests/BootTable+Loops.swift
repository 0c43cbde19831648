// SPDX-License-Identifier: Apache-2.0

// Machines that are reset again and again before a program runs, and firmware that repeats its words without a reset.
extension BootTable {
    /// What each machine prints after every reset.
    private static let starts: [(name: String, text: String)] = [
        ("U-Boot", "U-Boot 2010.06 (Nov 14 2022 - 19:23:46)\r\nUncompress.........Ok\r\n"),
        ("U-Boot with a kernel without a console", "U-Boot 2023.04 (Apr 03 2023)\r\nStarting kernel ...\r\n\r\n"),
        ("the first stage of U-Boot", "U-Boot SPL 2023.04 (Apr 03 2023)\r\nDRAM init failed: -110\r\n"),
        ("OpenSBI", "OpenSBI v1.2\r\nPlatform Name : x\r\n"),
        ("OpenSBI and U-Boot", "OpenSBI v1.2\r\nPlatform Name : x\r\nU-Boot 2023.04 (Apr)\r\n"),
        ("trusted firmware", "NOTICE:  Booting Trusted Firmware\r\nNOTICE:  BL1: v2.9\r\nERROR:   no BL2\r\n"),
        ("the second stage of trusted firmware", "NOTICE:  BL2: v2.9\r\nERROR:   no BL31\r\n"),
        ("coreboot", "coreboot-4.15 Mon bootblock starting...\r\ncoreboot-4.15 Mon romstage starting...\r\n"),
        ("SLOF", "SLOF\u{1b}[0m\u{1b}[?25l ***\r\nQEMU Starting\r\nE3404: Not a bootable device!\r\n"),
        ("SeaBIOS without a disk", seaBIOS + "\r\n"),
        ("GRUB", "GRUB loading.\r\nWelcome to GRUB!\r\nerror: no such device: x.\r\n"),
    ]

    static let loops =
        starts.map { start in
            Row(
                name: "\(start.name), reset again and again",
                pieces: [
                    (0, start.text), (1500, "«reset»" + start.text), (3000, "\u{fb}\r\n«reset»" + start.text),
                ]
            )
        } + [
            Row(
                name: "a kernel without firmware that prints one more line, reset again and again",
                pieces: [
                    (0, linux + "[    0.100000] a\r\n"), (1500, "«doubtful»" + linux + "[    0.100000] a\r\n«kernel»"),
                    (3000, "«doubtful»" + linux + "[    0.100000] a\r\n«kernel»"),
                ]
            )
        ]

    static let commandsOfFirmware = [
        Row(
            name: "U-Boot's version, printed by a command",
            pieces: [
                (0, "U-Boot 2023.01 (Jan 09 2023)\r\n\r\n=> "),
                (3000, "version\r\nU-Boot 2023.01 (Jan 09 2023)\r\n\r\ngcc 12.2.0\r\n=> "),
            ]
        ),
        Row(
            name: "GRUB, started again by the firmware's next entry",
            pieces: [
                (0, "BdsDxe: starting Boot0001\r\nWelcome to GRUB!\r\n"),
                (2000, "BdsDxe: starting Boot0002\r\nWelcome to GRUB!\r\n"), (4000, linux),
            ]
        ),
    ]
}
