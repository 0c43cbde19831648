// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing

@testable import TextFormats

@Suite("Displayed lines", .blocking)
struct DisplayedLineTests {
    /// The stored lines of a console's text, and each as displayed.
    private func lines(_ text: [UInt8], limit: Int = 65_536, color: Bool = false) -> [String] {
        DisplayedText.cut(text, limit: limit).map { DisplayedText.show($0, color: color) }
    }

    private func lines(_ text: String, limit: Int = 65_536, color: Bool = false) -> [String] {
        lines(Array(text.utf8), limit: limit, color: color)
    }

    @Test(
        "sequences that paint nothing are not shown",
        arguments: [
            ("[\u{1b}[0;32m  OK  \u{1b}[0m] Started ssh.service", "[  OK  ] Started ssh.service"),
            ("\u{1b}[H\u{1b}[J\u{1b}[1;1HDebian GNU/Linux 13 vm ttyS0", "Debian GNU/Linux 13 vm ttyS0"),
            ("\u{1b}]3008;start=4f0c;user=root\u{1b}\\\u{1b}]0;root@vm: ~\u{7}\u{1b}[?2004hroot@vm:~# ", "root@vm:~# "),
            ("\u{1b}kbash\u{1b}\\$ ls", "$ ls"), ("\u{1b}]Rlogin: ", "login: "), ("\u{1b}]P7ffffffok\u{1b}]R", "ok"),
            ("\u{1b}]8;;https://example.org\u{1b}\\link\u{1b}]8;;\u{1b}\\ text", "link text"),
            ("ttyS0: \u{1b}[01;31m\u{1b}[Kerror\u{1b}[m\u{1b}[K found", "ttyS0: error found"),
            ("a\u{7}b\u{0}c\u{1b}[6n\u{1b}[0c\u{1b}(Bd\u{1b}[24;80R", "abcd"),
            ("\u{1b}7\u{1b}[r\u{1b}[999;999H\u{1b}[6n\u{1b}8login: ", "login: "),
            ("login: \u{1b}7\u{1b}[r\u{1b}[999;999H\u{1b}[6n\u{1b}8root", "login: root"),
            ("\u{1b}M\r\u{1b}[K[***   ] A start job is running", "[***   ] A start job is running"),
        ]
    )
    func paintsNothing(_ text: String, _ shown: String) {
        #expect(lines(text) == [shown])
    }

    @Test(
        "what is painted over is not shown, and the row is as a terminal leaves it",
        arguments: [
            ("10%\r 20%\r100%\r\n", "100%"),
            ("abcdef\rXY", "XYcdef"),
            ("abcdef\r\u{1b}[KXY", "XY"),
            ("abcdef\u{1b}[2K\rXY", "XY"),
            ("rooot\u{8} \u{8}\u{8} \u{8}t", "root"),
            ("|\u{8}/\u{8}-\u{8}\\\u{8} done", " done"),
            ("C:\\>\u{1b}[4;5Hd\u{1b}[4;6Hi\u{1b}[4;7Hr", "C:\\>"),
            ("\u{1b}[4;1HC:\\>\u{1b}[4;5Hd\u{1b}[4;6Hi\u{1b}[4;7Hr", "C:\\>dir"),
            ("name\u{1b}[10Gvalue", "name     value"),
            ("Press Ctrl-B to configure iPXE...\r                                 \r\r\n", ""),
            ("\u{1b}[7mPress any key\u{1b}[0m\u{1b}[13D             \u{1b}[13DGo", "Go"),
            ("ab  cd\r          \rGo", "Go"), ("login: \rlogin: ", "login: "), ("a\r  b", "  b"),
            ("$ echo 日本\u{8}\u{8}\u{1b}[K", "$ echo 日"), ("日本\u{8}\u{8}x", "日x"), ("abc\u{8}\u{8}\u{8}日", "日c"),
            ("日本語 |\u{1b}[10G|ok", "日本語 | |ok"), ("日本\rx", "x 本"), ("日本\r\u{1b}[Cx", " x本"),
            ("日本\r\u{1b}[P", " 本"), ("日本\r\u{1b}[C\u{1b}[@", "   本"),
            (
                "日" + String(repeating: "x", count: 600) + "\r\u{1b}[C\u{1b}[600@",
                String(repeating: " ", count: 514) + String(repeating: "x", count: 88)
            ), ("日\u{1b}[2b", "日日日"), ("😀\u{8}\u{8}x", "x"),
            ("\u{1b}[1;5Htitle", "    title"),
            ("abcdef\u{1b}[3D\u{1b}[P!", "abc!f"),
            ("abc\u{1b}[2D\u{1b}[@\u{1b}[@xy", "axybc"),
            ("bc\r\u{1b}[4ha\u{1b}[4l\u{1b}[Cd", "abd"), ("本c\r\u{1b}[4h日", "日本c"),
            ("a\tb\u{8}\u{8}c", "a      cb"),
            ("-\u{1b}[5b", "------"),
            ("e\u{301}x\u{8}y", "e\u{301}y"),
            ("\u{1b}(0lqqk\u{1b}(B menu", "┌──┐ menu"),
        ]
    )
    func paintedOver(_ text: String, _ shown: String) {
        #expect(lines(text).first == shown)
    }

    @Test(
        "a kernel time stamp behind other text, and the cursor's way to another row, begin a line",
        arguments: [
            ("web login: [ 7200.123456] BUG: x\r\n", ["web login: ", "[ 7200.123456] BUG: x"]),
            ("$ <4>[   12.345678][    T1] x\n", ["$ ", "<4>[   12.345678][    T1] x"]),
            ("<6>[   12.345678] x\n", ["<6>[   12.345678] x"]),
            ("login: [   1.0000000] uvm\n", ["login: ", "[   1.0000000] uvm"]),
            ("login: [12345.0000000] uvm\n", ["login: ", "[12345.0000000] uvm"]),
            ("login: [   1.000000] x [ 1.0000000] y\n", ["login: [   1.000000] x [ 1.0000000] y"]),
            ("[   12.345678] x\n", ["[   12.345678] x"]),
            ("Nov 20 17:00:05 web kernel: [   12.345678] x\n", ["Nov 20 17:00:05 web kernel: [   12.345678] x"]),
            ("kern  :err   : [   12.345678] x\n", ["kern  :err   : [   12.345678] x"]),
            ("kern  :err   : \u{1b}[32m[   12.345678] x\n", ["kern  :err   : [   12.345678] x"]),
            ("kern  :error : [   12.345678] x\n", ["kern  :error : ", "[   12.345678] x"]),
            ("took [1.234567] seconds [12] [  ] [\n", ["took [1.234567] seconds [12] [  ] ["]),
            ("web login: \u{1b}c\u{1b}[?7l\u{1b}[2J\u{1b}[0mSeaBIOS\r\n", ["web login: ", "SeaBIOS"]),
            ("\u{1b}[2J\u{1b}[1;1Hone\u{1b}[2;1H\u{1b}[4;1Htwo\u{1b}[4;5H!", ["one", "two !"]),
            ("one\u{1b}[5;1H      \u{1b}[6;1Htwo", ["one", "two"]),
            ("a\u{1b}Eb\u{1b}[Bc\u{c}d", ["a", "b", "c", "d"]),
            ("menu\u{1b}[?1049lback", ["menu", "back"]),
            ("one\n\rtwo\r\r\nthree\nfour\r\n", ["one", "two", "three", "four"]),
        ]
    )
    func rows(_ text: String, _ shown: [String]) {
        #expect(lines(text) == shown)
    }

    @Test(
        "an escape that begins no sequence is shown, and nothing after it is swallowed",
        arguments: [
            ("dev-mqueue\u{1b}…POSIX", #"dev-mqueue\x1b…POSIX"#),
            ("a\u{1b}]0;title\r\n", #"a\x1b]0;title"#), ("a\u{1b}ktitle\n", #"a\x1bktitle"#),
            ("a\u{1b}[12\r\n", #"a\x1b[12"#),
            ("\u{1b}\u{1b}[31mx\n", "x"), ("a\u{1b}[31\u{18}hello\n", "ahello"), ("a\u{1b}]0;b\u{1a}c\n", "ac"),
            ("a\u{1b}\u{18}b\n", "ab"), ("a\u{18}b\n", #"a\x18b"#),
            ("a\u{1}b\u{1a}c", #"a\x01b\x1ac"#),
        ]
    )
    func malformed(_ text: String, _ shown: String) {
        #expect(lines(text) == [shown])
    }

    @Test("colours are kept where they are wanted, also for cells that are painted over")
    func colors() {
        #expect(lines("[\u{1b}[32mOK\u{1b}[0m]\n", color: true) == ["[\u{1b}[32mOK\u{1b}[0m]"])
        #expect(
            lines("ab\r\u{1b}[31mXY\u{1b}[0mZ\n", color: true) == ["\u{1b}[31mXY\u{1b}[0mZ"]
        )
        #expect(lines("\u{1b}[31;1;999999999999999999999999999999999999mred\n", color: true) == ["red"])
    }

    @Test("visible characters that were painted over with others, or erased, are counted")
    func overwritten() {
        func count(_ text: String) -> Int {
            var out: [UInt8] = []
            return Array(text.utf8).withUnsafeBytes { DisplayedLine.append($0, color: false, to: &out) }
        }
        #expect(count("plain \u{1b}[31mred\u{1b}[0m text") == 0)
        #expect(count("abc\rabd") == 1)
        #expect(count("abc\r\u{1b}[K") == 3)
        #expect(count("abc \u{8} \u{8}") == 0)
        #expect(count("abc\u{8}\u{8}\u{1b}[P") == 1)
    }

    @Test("a line is as old as what was painted last")
    func painted() {
        let text = Array("[*  ] 5s\r[ * ] 6s\r\n".utf8)
        var cutter = DisplayedLineCutter()
        let cut = text.withUnsafeBytes { cutter.line(at: 0, in: $0, to: $0.count, limit: 1000) }
        #expect(cut?.painted == 9)
        #expect(cut?.end == text.count)
    }

    @Test("a progress bar without end is divided where a state begins, other lines at the limit")
    func long() {
        let states = (0..<100).map { "\r\($0)% of the image" }.joined()
        let pieces = DisplayedText.cut(Array(states.utf8), limit: 256)
        #expect(pieces.count > 4 && pieces.allSatisfy { $0.count <= 256 })
        #expect(pieces.dropLast().allSatisfy { DisplayedText.show($0).hasSuffix("% of the image") })
        #expect(lines(String(repeating: "x", count: 600), limit: 256).map(\.count) == [256, 256, 88])
        #expect(lines(String(repeating: "x", count: 256) + "\n", limit: 256) == [String(repeating: "x", count: 256)])
    }

    // MARK: - Hostile text

    private static let fragments = HostileText.fragments + ConsoleFragments.all

    @Test("lines do not depend on where the text is divided, and are the text; none has a control character")
    func properties() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        for round in 0..<20_000 {
            var text: [UInt8] = []
            for _ in 0..<Int.random(in: 0...16, using: &generator) {
                text += Self.fragments.randomElement(using: &generator)!
            }
            let limit = [16, 64, 65_536].randomElement(using: &generator)!
            let whole = DisplayedText.cut(text, limit: limit)
            let offset = Int.random(in: 0...text.count, using: &generator)
            let isSafe = whole.allSatisfy { line in
                [false, true].allSatisfy { color in DisplayedText.isSafe(DisplayedText.bytes(line, color: color)) }
            }
            if whole.flatMap({ $0 }) != text || DisplayedText.cut(text, limit: limit, dividedAt: offset) != whole
                || DisplayedText.cutAtOnce(text, limit: limit) != whole || !isSafe
            {
                Issue.record("seed \(seed), round \(round), limit \(limit), divided at \(offset): \(text)")
                return
            }
        }
    }
}

/// What consoles print, for random texts.
enum ConsoleFragments {
    static let all: [[UInt8]] = [
        "login: ", "[    1.234567] ", "<6>[   12.345678] ", "[   12.34", "5678] x", "[", "<4>", "kernel: ", "\u{1b}c",
        "\u{1b}[4;21H", "\u{1b}[4;1H", "\u{1b}[5;1Hrow", "\u{1b}[K", "\u{1b}[1K", "\u{1b}[2K", "\u{1b}[5G", "\u{1b}[3C",
        "\u{1b}[3D", "\u{1b}7", "\u{1b}8", "\u{1b}[s", "\u{1b}[u", "\u{1b}[2P", "\u{1b}[2@", "\u{1b}[9b", "\u{1b}[4X",
        "\r10%", "\r 20%", "\u{8} \u{8}", "\u{1b}M", "\u{1b}(0", "\u{1b}(B", "\u{1b}[?1049h", "\u{c}", "e\u{301}",
        "\u{1b}]3008;start=1", "\u{1b}\\", "\u{7}", "\u{1b}7\u{1b}[1;70H", "\u{1b}7\u{1b}[1;70H12:00\u{1b}8", "\u{e}",
        "\u{f}",
        "\u{1b})0", "\u{1b})B", "\u{1b}c",
    ].map { Array($0.utf8) }
}

/// Cuts and paints a whole text.
enum DisplayedText {
    /// Its lines when it comes in two parts.
    static func cut(_ text: [UInt8], limit: Int, dividedAt division: Int? = nil) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = 0
        var cutter = GrowingLineCutter()
        text.withUnsafeBytes { text in
            for end in [division ?? 0, text.count] {
                while let cut = cutter.firstLine(of: UnsafeRawBufferPointer(rebasing: text[start..<end]), limit: limit)
                {
                    lines.append(Array(text[start..<start + cut.end]))
                    start += cut.end
                }
            }
        }
        return start < text.count ? lines + [Array(text[start...])] : lines
    }

    /// Its lines when it is a batch.
    static func cutAtOnce(_ text: [UInt8], limit: Int) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = 0
        var cutter = DisplayedLineCutter()
        text.withUnsafeBytes { text in
            while let cut = cutter.line(at: start, in: text, to: text.count, limit: limit) {
                lines.append(Array(text[start..<cut.end]))
                start = cut.end
            }
        }
        return start < text.count ? lines + [Array(text[start...])] : lines
    }

    static func bytes(_ line: [UInt8], color: Bool) -> [UInt8] {
        var content = line
        if content.last == Lines.feed {
            content.removeLast()
            while content.last == 0x0d {
                content.removeLast()
            }
        }
        var out: [UInt8] = []
        content.withUnsafeBytes { _ = DisplayedLine.append($0, color: color, to: &out) }
        return out
    }

    static func show(_ line: [UInt8], color: Bool = false) -> String {
        String(decoding: bytes(line, color: color), as: UTF8.self)
    }

    /// Whether there is no control character but TAB, and those of SGR.
    static func isSafe(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while let byte = rest.popFirst() {
            guard byte < 0x20 || byte == 0x7f, byte != 0x09 else {
                continue
            }
            let parameters = rest.dropFirst().prefix { (0x30...0x3b).contains($0) }
            guard byte == 0x1b, rest.first == UInt8(ascii: "["), rest[parameters.endIndex...].first == UInt8(ascii: "m")
            else {
                return false
            }
            rest = rest[parameters.endIndex...].dropFirst()
        }
        return true
    }
}
