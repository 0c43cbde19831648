// SPDX-License-Identifier: Apache-2.0

import TestTraits
import Testing

@testable import TextFormats

@Suite("Display width", .blocking)
struct DisplayWidthTests {
    @Test(
        "text takes the columns that terminals use for it",
        arguments: [
            ("", 0), ("web", 3), ("Größe", 5), ("cafe\u{301}", 4), ("数据库", 6), ("ｗｅｂ", 6), ("デ\u{3099}", 2), ("데이터", 6),
            ("\u{1112}\u{1161}\u{11ab}", 2), ("🐧", 2), ("👩🏽‍🚀", 2), ("🇩🇪", 2), ("❤️", 2), ("❤", 1), ("→…", 2), ("שָׁלוֹם", 4),
            ("a\u{200b}b", 2), ("𠀀", 2),
        ]
    )
    func columns(_ text: String, _ columns: Int) {
        #expect(DisplayWidth.of(text) == columns)
    }

    @Test(
        "text is cut to whole characters, with a mark",
        arguments: [
            ("database", 8, "database"), ("database", 7, "databa…"), ("数据库", 6, "数据库"), ("数据库", 5, "数据…"),
            ("数据库", 4, "数…"), ("web", 1, "…"),
        ]
    )
    func cut(_ text: String, _ columns: Int, _ expected: String) {
        let cut = DisplayWidth.truncate(text, to: columns)
        #expect(cut == expected)
        #expect(DisplayWidth.of(cut) <= columns)
    }
}
