// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import TextFormats

@Suite struct ShownRowTests {
    /// What is added to the screen for each of the pieces: `+text` to the line, or a new line.
    private func shown(_ pieces: [String]) -> [String] {
        var row: ShownRow?
        return pieces.map { piece in
            let isWhole = piece.hasSuffix("\n")
            let bytes = Array(piece.utf8.filter { $0 != 0x0a })
            guard var known = row else {
                row = ShownRow(bytes.withUnsafeBytes { $0 })
                return text(bytes)
            }
            let next = bytes.withUnsafeBytes { known.add($0, sets: CharacterSets(), isWhole: isWhole) }
            row = known
            return next == .appended ? "+" + text(bytes) : text(known.bytes)
        }
    }

    private func text(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        bytes.withUnsafeBytes { _ = DisplayedLine.append($0, color: false, to: &out) }
        return String(decoding: out, as: UTF8.self)
    }

    @Test("what is painted behind the text that is shown is appended, anything else begins a line")
    func pieces() {
        #expect(shown(["lo", "gin", ": "]) == ["lo", "+gin", "+: "])
        #expect(shown(["10%\r", "20%\r", "\n"]) == ["10%", "20%", "+"])
        #expect(shown(["ab", "\u{8}\u{1b}[K", "c"]) == ["ab", "a", "+c"])
        #expect(shown(["login: ", "[   12.345678] x\n"]) == ["login: ", "[   12.345678] x"])
        #expect(shown(["a", "\u{1b}[2;1Hb"]) == ["a", "b"])
    }

    @Test("a command that wraps at the right margin of a console stays one line")
    func wrapped() {
        let prompt = "root@web:~# echo "
        let typed = prompt + String(repeating: "a", count: 80 - prompt.count)
        #expect(text(Array((typed + " \raabcd").utf8)) == typed + "aabcd")
        let twice = typed + " \r" + String(repeating: "b", count: 80)
        #expect(text(Array((twice + " \rc d").utf8)) == typed + String(repeating: "b", count: 80) + "c d")
        // A row that is not full, or that is painted again, is not such a command.
        #expect(text(Array("10% \r20% ".utf8)) == "20% ")
        #expect(text(Array((typed + "\rX").utf8)) == "X" + typed.dropFirst())
        #expect(text(Array((typed + " \r\u{1b}[K").utf8)) == "")
    }
}
