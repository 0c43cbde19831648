// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing

@Suite(.blocking) struct JSONTests {
    @Test(
        "a canonical text is unchanged after parsing and writing",
        arguments: [
            "null", "true", "[]", "{}", "-9223372036854775808", "9223372036854775807", "1.5",
            #"{"a":[1,"x",null],"b":{"c":false}}"#, #""\"\\""#, #""\n\t""#,
        ]
    )
    func canonical(text: String) throws {
        let value = try JSON(parsing: Array(text.utf8))
        #expect(String(decoding: value.bytes, as: UTF8.self) == text)
    }

    @Test(
        "malformed JSON is refused",
        arguments: [
            "", "{", "[1,]", "{\"a\"}", "nul", "01", "\"\u{1}\"", "1 2", "\"\\ud800\"x", "[" + "1,", "--1", "+1", "1.",
            ".5", "-", "-01", "1.e5", "1e999", #""\u+12f""#, #""\u-000""#, #""\u12g4""#, #""\u123""#,
        ]
    )
    func refused(text: String) {
        #expect(throws: (any Error).self) { try JSON(parsing: Array(text.utf8)) }
    }

    @Test(
        "escaped characters; half of a surrogate pair is U+FFFD, wherever it stands",
        arguments: [
            (#""\u00E9\u00e9""#, "éé"), (#""\ud83d\ude00""#, "😀"), (#""\ud83d""#, "\u{fffd}"),
            (#""\ude00x""#, "\u{fffd}x"), (#""\ud83d\u0041""#, "\u{fffd}A"), (#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (#""\ud83d\n""#, "\u{fffd}\n"),
        ]
    )
    func escapes(text: String, value: String) throws {
        #expect(try JSON(parsing: Array(text.utf8)) == .string(value))
    }

    @Test("a text that is nested too deeply is refused, without exhausting the stack")
    func deep() {
        let text = [UInt8](repeating: UInt8(ascii: "["), count: 1 << 20)
        #expect(throws: (any Error).self) { try JSON(parsing: text) }
    }

    @Test("any bytes are parsed or refused, and what is parsed is unchanged after writing and parsing")
    func fuzz() throws {
        var random = SeededGenerator(seed: 1)
        let words = [
            "{", "}", "[", "]", ",", ":", "\"", "\\u00e9", "a", "1", "-", ".5", "e9", "null", "true", " ", "\u{7f}",
        ]
        var read = 0
        for _ in 0..<20_000 {
            let count = Int.random(in: 1...12, using: &random)
            let text = (0..<count).map { _ in words[Int.random(in: 0..<words.count, using: &random)] }.joined()
            guard let value = try? JSON(parsing: Array(text.utf8)) else {
                continue
            }
            read += 1
            #expect(try JSON(parsing: value.bytes) == value, "\(text)")
        }
        #expect(read > 100)
    }

    @Test("no text gives JSON that a terminal acts on, and every text is restored")
    func harmless() throws {
        let text = String(String.UnicodeScalarView((0...0x2fff).compactMap { Unicode.Scalar($0) }))
        let value = JSON.object([(text, .string(text))])
        let shown = String(decoding: value.bytes, as: UTF8.self)
        #expect(shown.unicodeScalars.allSatisfy { !$0.isTerminalHazard })
        #expect(try JSON(parsing: value.bytes) == value)
    }
}
