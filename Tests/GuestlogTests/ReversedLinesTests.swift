// SPDX-License-Identifier: Apache-2.0

import TestTraits
import Testing

@testable import guestlog

@Suite("Reversed lines", .blocking)
struct ReversedLinesTests {
    @Test(
        "the last line comes first, and each ends with a line feed",
        arguments: [
            ("", ""), ("one\n", "one\n"), ("one", "one\n"), ("one\ntwo\nthree\n", "three\ntwo\none\n"),
            ("one\n\nthree", "three\n\none\n"), ("\n", "\n"), ("\n\n", "\n\n"), ("\nx", "x\n\n"),
        ]
    )
    func reversed(_ text: String, _ expected: String) {
        var lines = ReversedLines()
        // In pieces, as they arrive.
        for byte in text.utf8 {
            lines.append([byte])
        }
        #expect(String(decoding: lines.reversed, as: UTF8.self) == expected)
    }
}
