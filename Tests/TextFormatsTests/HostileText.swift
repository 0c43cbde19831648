// SPDX-License-Identifier: Apache-2.0

import TestSupport

/// Random guest output with sequences that break terminals and programs.
enum HostileText {
    static let fragments: [[UInt8]] = [
        Array("plain text ".utf8), Array("0123456789abcdef0123456789".utf8), Array("\\".utf8), Array("\\x1b".utf8),
        Array("\\u{202e}".utf8), [0x0a], [0x0d], [0x0d, 0x0a], [0x0d, 0x0d, 0x0a], [0x09], [0x00], [0x07], [0x08],
        [0x0b], [0x7f], [0x1b], Array("\u{1b}[".utf8), Array("\u{1b}[31m".utf8), Array("\u{1b}[0m".utf8),
        Array("\u{1b}[m".utf8), Array("\u{1b}[38;2;1;2;3m".utf8), Array("\u{1b}[38:2::1:2:3m".utf8),
        Array("\u{1b}[2J".utf8), Array("\u{1b}[?25l".utf8), Array("\u{1b}[1;31 m".utf8), Array("\u{1b}[;;;".utf8),
        Array("\u{1b}]0;title\u{7}".utf8), Array("\u{1b}]8;;http://a\u{1b}\\".utf8), Array("\u{1b}P".utf8), [0x9b],
        [0x9b, 0x33, 0x31, 0x6d], [0xc2], [0xc2, 0x9b], [0xc2, 0x80], [0xc2, 0xa0], [0xc2, 0xad], [0xc3, 0xa4],
        [0xc0, 0x80],
        [0xc1, 0xbf], [0xe2], [0xe2, 0x80], [0xe2, 0x80, 0xae], [0xe2, 0x80, 0x8b], [0xe2, 0x80, 0xa8],
        [0xe2, 0x82, 0xac],
        [0xed, 0xa0, 0x80], [0xed, 0xba, 0xad], [0xef, 0xbf, 0xbe], [0xef, 0xbb, 0xbf], [0xf0, 0x9f, 0x98, 0x80],
        [0xf0, 0x9f, 0x98], [0xf0, 0x9f, 0xbf, 0xbf], [0xf3, 0xa0, 0x81, 0x81], [0xf4, 0x8f, 0xbf, 0xbf],
        [0xf4, 0x90, 0x80, 0x80], [0xf5],
        [0xff], [0xfe], [0x80], [0xbf], Array(repeating: 0x0d, count: 20),
        Array("\u{1b}[".utf8) + Array(repeating: UInt8(ascii: "1"), count: 33) + Array("m".utf8),
        Array("\u{1b}[".utf8) + Array(repeating: UInt8(ascii: "1"), count: 32) + Array("m".utf8),
    ]

    /// A text of up to 24 pieces: fragments, bytes of any value, or bytes of the few values in escape sequences and
    /// line ends.
    static func make(using generator: inout SeededGenerator) -> [UInt8] {
        let alphabet = Array("\u{1b}[0;:9m\r\n\\xu{}".utf8) + [0xc2, 0x80, 0x9b, 0xe2, 0xae]
        var text: [UInt8] = []
        for _ in 0..<Int.random(in: 0...24, using: &generator) {
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: text.append(UInt8.random(in: 0...255, using: &generator))
            case 1: text.append(alphabet.randomElement(using: &generator)!)
            default: text += fragments.randomElement(using: &generator)!
            }
        }
        return text
    }
}
