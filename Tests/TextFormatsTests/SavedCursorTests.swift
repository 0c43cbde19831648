// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import TextFormats

@Suite("Displayed lines of guests that save and restore the cursor", .blocking)
struct SavedCursorTests {
    private func lines(_ text: String) -> [String] {
        let text = Array(text.utf8)
        let lines = DisplayedText.cut(text, limit: 65_536)
        for offset in text.indices {
            #expect(DisplayedText.cut(text, limit: 65_536, dividedAt: offset) == lines, "divided at \(offset)")
        }
        return lines.map { DisplayedText.show($0) }
    }

    private static let longText = String(repeating: "x", count: 300)

    @Test(
        "a restored cursor is in its row again",
        arguments: [
            // apt, with Dpkg::Progress-Fancy.
            (
                "Reading lists\r\n\n\u{1b}7\u{1b}[0;23r\u{1b}8\u{1b}[1A\u{1b}7\u{1b}[24;0f\u{1b}[42m\u{1b}[30m"
                    + "Progress: [ 10%]\u{1b}[49m\u{1b}[39m [##........] \u{1b}8Unpacking foo (1.0) ...\r\n",
                ["Reading lists", "", "Progress: [ 10%] [##........] ", "Unpacking foo (1.0) ..."]
            ),
            // A clock in the corner.
            (
                "login: \u{1b}[s\u{1b}[1;70H12:00:01\u{1b}[uro\u{1b}[s\u{1b}[1;70H12:00:02\u{1b}[uot\r\n",
                ["login: root"]
            ),
            ("login: \u{1b}7\u{1b}[1;70H\u{1b}[1K\u{1b}[K12:00\u{1b}8root\r\nnext", ["login: root", "next"]),
            ("\u{1b}[4;1Hname: \u{1b}7\u{1b}[24;1Hhelp\u{1b}8web\u{1b}[4;10H!", ["name: web!"]),
            // Not in the row that the line is in.
            ("one\u{1b}7\r\ntwo\u{1b}8three\r\n", ["one", "two", "three"]),
            ("\u{1b}7\u{1b}[5;1Hone\u{1b}8two\u{1b}[5;1Hthree", ["one", "two", "three"]),
            // Never restored, or only after much text.
            ("login: \u{1b}7\u{1b}[5;1Hmenu\r\nnext\r\n", ["login: ", "menu", "next"]),
            ("a\u{1b}7\u{1b}[5;1H" + longText + "\u{1b}8b\r\n", ["a", longText, "b"]),
            ("a\u{1b}7\u{1b}[5;1Hb\u{1b}7\u{1b}[6;1Hc\u{1b}8d\r\n", ["a", "bd"]),
            ("a\u{1b}7\u{1b}[5;1Hb[   12.345678] c\r\n", ["a", "b", "[   12.345678] c"]),
        ] as [(String, [String])]
    )
    func rows(_ text: String, _ shown: [String]) {
        #expect(lines(text) == shown)
    }

    @Test("what was painted in another row in between is counted, and shown if the cursor is still there")
    func elsewhere() {
        func display(_ text: String) -> (String, Int) {
            var out: [UInt8] = []
            let count = Array(text.utf8).withUnsafeBytes { DisplayedLine.append($0, color: false, to: &out) }
            return (String(decoding: out, as: UTF8.self), count)
        }
        #expect(display("login: \u{1b}7\u{1b}[1;1H12:00 ab\u{1b}8root") == ("login: root", 7))
        #expect(display("login:\u{1b}7\u{1b}[1;1Hone two") == ("login: one two", 0))
    }

    @Test("the row of a line is that of its text, not one where the cursor was before")
    func row() {
        func row(_ text: String) -> DisplayedLine.Row {
            Array(text.utf8).withUnsafeBytes { DisplayedLine.row(of: $0) }
        }
        #expect(row("\u{1b}7\u{1b}[r\u{1b}[999;999H\u{1b}[6n\u{1b}8login: ") == .unknown)
        #expect(row("\u{1b}[4;1H\u{1b}7\u{1b}[24;0f\u{1b}8name") == .named(4))
        #expect(row("\u{1b}7\u{1b}[24;0fProgress") == .named(24))
    }

    @Test(
        "a line that begins with a move to the row above is in that row, however the move is written",
        arguments: ["\u{1b}M", "\u{1b}[A", "\u{1b}[1A", "\u{1b}[01A", "\u{1b}[0A", "\u{1b}[F"]
    )
    func rowAbove(_ move: String) {
        let line = Array((move + "state 2").utf8)
        #expect(line.withUnsafeBytes { DisplayedLine.row(of: $0) } == .above)
        #expect(Array(move.utf8).withUnsafeBytes { DisplayedLine.mayMoveUp($0) })
    }
}
