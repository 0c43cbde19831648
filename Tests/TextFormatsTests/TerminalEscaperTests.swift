// SPDX-License-Identifier: Apache-2.0

import TestTraits
import Testing

@testable import TextFormats

@Suite("The terminal escaper", .blocking)
struct TerminalEscaperTests {
    private func shown(_ text: String, color: Bool = false) -> String {
        shown(Array(text.utf8), color: color)
    }

    private func shown(_ bytes: [UInt8], color: Bool = false) -> String {
        String(decoding: TerminalEscaper.escape(bytes, style: .line(color: color)), as: UTF8.self)
    }

    private func exact(_ text: String) -> String {
        String(decoding: TerminalEscaper.escape(text.utf8, style: .exact), as: UTF8.self)
    }

    /// Sequences that common tools pass unescaped, or hide a whole line for.
    static let payloads: [(payload: [UInt8], color: String, noColor: String)] = [
        (Array("\u{1b}[31mred".utf8), "\u{1b}[31mred\u{1b}[0m", "red"),
        (Array("\u{1b}[2Jx".utf8), #"\x1b[2Jx"#, #"\x1b[2Jx"#),
        (Array("\u{1b}[1;1Hx".utf8), #"\x1b[1;1Hx"#, #"\x1b[1;1Hx"#),
        (Array("\u{1b}]0;title\u{7}x".utf8), #"\x1b]0;title\x07x"#, #"\x1b]0;title\x07x"#),
        (
            Array("\u{1b}]8;;http://evil\u{1b}\\x".utf8), #"\x1b]8;;http://evil\x1b\x"#,
            #"\x1b]8;;http://evil\x1b\x"#
        ),
        (Array("\u{9b}31mx".utf8), #"\u{9b}31mx"#, #"\u{9b}31mx"#),
        ([0x9b] + Array("31mx".utf8), #"\x9b31mx"#, #"\x9b31mx"#),
        (Array("good\rEVIL".utf8), #"good\x0dEVIL"#, #"good\x0dEVIL"#),
        (Array("ab\u{8}c".utf8), #"ab\x08c"#, #"ab\x08c"#),
        ([0x07], #"\x07"#, #"\x07"#),
        ([0x7f], #"\x7f"#, #"\x7f"#),
        ([0x00], #"\x00"#, #"\x00"#),
        (Array("a\u{202e}b".utf8), #"a\u{202e}b"#, #"a\u{202e}b"#),
        (Array("a\u{200b}b".utf8), #"a\u{200b}b"#, #"a\u{200b}b"#),
        (Array("a\u{2028}b".utf8), #"a\u{2028}b"#, #"a\u{2028}b"#),
        ([0xef, 0xbf, 0xbe], #"\u{fffe}"#, #"\u{fffe}"#),
        ([0xed, 0xba, 0xad], #"\xed\xba\xad"#, #"\xed\xba\xad"#),
    ]

    @Test("sequences that other tools pass unescaped are shown as text", arguments: payloads.indices)
    func payload(_ index: Int) {
        let (payload, color, noColor) = Self.payloads[index]
        #expect(shown(payload, color: true) == color)
        #expect(shown(payload, color: false) == noColor)
        let exact = TerminalEscaper.escape(payload, style: .exact)
        #expect(!exact.contains(0x1b))
        #expect(TerminalEscaper.unescape(exact) == payload)
    }

    @Test("text of any script, spaces, tabs and emoji are unchanged")
    func harmlessText() {
        let text = "Größe\t€ 系统 Ελλάδα עברית 🚀 ✔\u{fe0f} e\u{301} \u{a0}|"
        #expect(shown(text) == text)
        #expect(exact(text) == text)
    }

    @Test("a backslash is itself in a line, and doubled where escapes must be reversible")
    func backslash() {
        #expect(shown(#"by\x2duuid C:\Windows"#) == #"by\x2duuid C:\Windows"#)
        #expect(exact(#"C:\x1b"#) == #"C:\\x1b"#)
    }

    @Test("joiners of scripts and emoji are passed in a line, and escaped in a name")
    func joiners() {
        let text = "می\u{200c}روم 👩\u{200d}👻"
        #expect(shown(text) == text)
        #expect(TerminalEscaper.escape(text.utf8, style: .field).firstRange(of: Array(#"\u{200c}"#.utf8)) != nil)
    }

    @Test("CR and LF do not leave a line; exactly, LF is itself")
    func lineEnds() {
        #expect(shown("a\r\nb") == #"a\x0d\x0ab"#)
        #expect(exact("a\r\n") == #"a\x0d"# + "\n")
    }

    @Test("colour is reset at the line's end, once, and only where it is on")
    func colorReset() {
        #expect(shown("\u{1b}[31ma", color: true) == "\u{1b}[31ma\u{1b}[0m")
        #expect(shown("\u{1b}[31ma\u{1b}[0m", color: true) == "\u{1b}[31ma\u{1b}[0m")
        #expect(shown("\u{1b}[1ma\u{1b}[m", color: true) == "\u{1b}[1ma\u{1b}[m")
        #expect(shown("\u{1b}[38;2;1;2;3ma", color: true) == "\u{1b}[38;2;1;2;3ma\u{1b}[0m")
    }

    @Test("invalid colour sequences are shown")
    func malformedColor() {
        let tooLong = "\u{1b}[" + String(repeating: "1", count: 33) + "m"
        for text in ["\u{1b}[?1m", "\u{1b}[>4;2m", "\u{1b}[1 m", "\u{1b}[31", "\u{1b}", "\u{1b}\u{1b}[1", tooLong] {
            #expect(!shown(text, color: false).utf8.contains(0x1b))
            #expect(shown(text, color: true) == text.replacing("\u{1b}", with: #"\x1b"#))
        }
        #expect(shown("\u{1b}\u{1b}[1mx", color: true) == #"\x1b"# + "\u{1b}[1mx\u{1b}[0m")
    }

    @Test("a field cannot leave its line")
    func field() {
        let name = "vm\n\tforged\u{1b}[1m"
        let escaped = TerminalEscaper.escape(name.utf8, style: .field)
        #expect(String(decoding: escaped, as: UTF8.self) == #"vm\x0a\x09forged\x1b[1m"#)
        #expect(TerminalEscaper.unescape(escaped) == Array(name.utf8))
    }

    @Test(
        "text that no escaper makes is not unescaped",
        arguments: [
            #"\"#, #"a\"#, #"\x"#, #"\x1"#, #"\x1B"#, #"\X1b"#, #"\x41"#, #"\x5c"#, #"\r"#, #"\u"#, #"\u{"#, #"\u{}"#,
            #"\u{202e"#, #"\u{0202e}"#, #"\u{202E}"#, #"\u{41}"#, #"\u{1b}"#, #"\u{d800}"#, #"\u{110000}"#,
            #"\u{fffffffffe}"#, "\u{1b}[m", "\r\n",
        ]
    )
    func refusedUnescape(_ text: String) {
        #expect(TerminalEscaper.unescape(text.utf8) == nil)
    }
}
