// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import TextFormats

@Suite("Line drawing characters", .blocking)
struct LineDrawingTests {
    private func lines(_ text: String) -> [String] {
        DisplayedText.cut(Array(text.utf8), limit: 65_536).map { DisplayedText.show($0) }
    }

    @Test(
        "SO and SI select the second character set and the first",
        arguments: [
            (
                "\u{1b}(B\u{1b})0\u{e}lqqqk\u{f}\r\n\u{e}x\u{f} Install? \u{e}x\u{f}\r\n",
                ["┌───┐", "│ Install? │"]
            ),
            ("\u{1b})B\u{e}lqk\u{f}\r\n", ["lqk"]),
            ("\u{f}lqk\u{1b})0\r\n", ["lqk"]),
            ("\u{1b}(0lqk\u{e}lqk\u{1b}(B\u{f} menu\r\n", ["┌─┐┌─┐ menu"]),
        ] as [(String, [String])]
    )
    func shifts(_ text: String, _ shown: [String]) {
        #expect(lines(text) == shown)
    }

    @Test(
        "a character set holds over moves to other rows, until it is changed",
        arguments: [
            (
                "\u{1b}[1;1H\u{1b}(0lqk\u{1b}[2;1Hx\u{1b}(B q \u{1b}(0x\u{1b}[3;1Hmqj\u{1b}[4;1H\u{1b}(Bx",
                ["┌─┐", "│ q │", "└─┘", "x"]
            ),
            ("\u{1b}[1;1H\u{e}x x\u{1b}[2;1Hx\u{f}x\u{1b}[3;1Hx", ["│ │", "│x", "x"]),
            ("\u{1b}(0x\u{1b}[2;1Hx\u{1b}cx", ["│", "│", "x"]),
            // Not for what else comes on the console.
            ("\u{1b}(0lqk[   12.345678] link\r\nnull", ["┌─┐", "[   12.345678] link", "null"]),
        ] as [(String, [String])]
    )
    func rowMoves(_ text: String, _ shown: [String]) {
        var lines: [String] = []
        var sets = CharacterSets()
        var cutter = GrowingLineCutter()
        Array(text.utf8).withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let cut = cutter.firstLine(of: UnsafeRawBufferPointer(rebasing: rest), limit: 65_536)
                var content = rest.prefix(cut?.end ?? rest.count)
                rest = rest.dropFirst(content.count)
                if content.last == Lines.feed {
                    content = content.dropLast()
                }
                var out: [UInt8] = []
                DisplayedLine.append(UnsafeRawBufferPointer(rebasing: content), sets: sets, color: false, to: &out)
                lines.append(String(decoding: out, as: UTF8.self))
                sets = cut?.carriedSets?.applied(to: sets) ?? CharacterSets()
            }
        }
        #expect(lines == shown)
    }

    @Test(
        "a line that begins with frames and ends the drawing begins within it",
        arguments: [
            (
                "\u{1b}(0lqqk\r\nx\u{1b}(B Install? \u{1b}(0x\r\nmqqj\u{1b}(B\r\n",
                ["┌──┐", "│ Install? │", "└──┘"]
            ),
            ("null\u{1b}(B\u{1b}[m\r\nx\u{1b}(B\u{1b}[m", ["null", "x"]),
            ("login: \u{1b}(B\u{1b}[mq\u{1b}(B", ["login: q"]),
        ] as [(String, [String])]
    )
    func drawings(_ text: String, _ shown: [String]) {
        #expect(lines(text) == shown)
    }
}
