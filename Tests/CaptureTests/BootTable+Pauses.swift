// SPDX-License-Identifier: Apache-2.0

// Pauses within the words of ends and beginnings: of a busy host, a debugger, a port with flow control.
extension BootTable {
    static let dividedWords = [
        Row(
            name: "a pause within a panic's words",
            pieces: [
                (0, linux + "[    1.000000] a\r\n"), (12_000, "[   12.000000] Kernel panic - not syn"),
                (12_700, "cing: boom\r\n«panic»"), (20_000, "«reset»" + seaBIOS),
            ]
        ),
        Row(
            name: "a pause within the words of a restart, and one within those of the next kernel",
            pieces: [
                (0, linux + "[    1.000000] a\r\n"), (12_000, "[   12.000000] reboot: Rest"),
                (12_700, "arting system\r\n«restart»"), (14_000, "«kernel»[    0.000000] Linux ver"),
                (14_700, "sion 6.1.0 (build@host) (gcc 12.2.0) #1 SMP\r\n"), (16_000, "[    1.000000] a\r\n"),
            ]
        ),
        Row(
            name: "several pauses within a panic's stamp and words",
            pieces: [
                (0, linux + "[    1.000000] a\r\n"), (12_000, "[   1"), (13_000, "2.00"), (14_000, "0000] "),
                (15_000, "K"), (16_000, "ernel panic - not syncing"), (17_000, "«panic»: boom\r\n"),
                (20_000, "«reset»" + seaBIOS),
            ]
        ),
        Row(
            name: "a pause within firmware's words, pieces without a pause after it",
            pieces: [
                (0, linux), (12_000, "«reset»\u{1b}c\u{1b}[?7l\u{1b}[2J\u{1b}[0mSea"), (12_700, "BI"),
                (12_750, "OS (ver"),
                (12_800, "sion 1.16.2)\r\n"), (14_000, linux),
            ]
        ),
        Row(
            name: "half a line that could become a banner, and firmware",
            pieces: [
                (0, linux + "[    1.000000] R"), (12_000, "«reset»" + seaBIOS + linux + "\r\nR"),
                (30_000, "«reset»U-Boot 2023.01 (Jan 09 2023)\r\nRe"), (40_000, "place the disk\r\n"),
            ]
        ),
        Row(
            name: "half a line that could become a banner, and the first words of a quiet system",
            pieces: [
                (0, linux), (9000, "[    9.000000] reboot: Restarting system\r\n«restart»"),
                (15_000, "«after-restart»De"),
                (16_000, "bian GNU/Linux 12 web ttyS0\r\n\r\nweb login: "),
            ]
        ),
        Row(
            name: "a pause within a panic of a program in Go, on a system that is not known",
            pieces: [(0, "panic: runt"), (700, "ime error: index out of range\r\n"), (5000, "bye\r\n")]
        ),
    ]
}
