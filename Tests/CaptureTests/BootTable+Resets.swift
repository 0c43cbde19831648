// SPDX-License-Identifier: Apache-2.0

// Beginnings that are easily taken for something else.
extension BootTable {
    /// Resets without last words.
    static let resets = [
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
                (0, linux + "[    0.500000] a\r\n"), (2000, "«doubtful»" + linux + "[    0.500000] a\r\n"),
                (4000, "«kernel»«doubtful»" + linux + "[    0.500000] a\r\n"),
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
}
