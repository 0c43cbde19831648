// SPDX-License-Identifier: Apache-2.0

import CBytes
import TestSupport
import TestTraits
import Testing

@Suite(.blocking) struct ByteScanTests {
    /// The definition of `gl_first_control`.
    private func reference(_ text: ArraySlice<UInt8>) -> Int {
        let index = text.indices.first { index in
            switch text[index] {
            case 0x09, 0x0a: false
            case 0x0d: index + 1 == text.endIndex || text[index + 1] != 0x0a
            case 0..<0x20, 0x7f: true
            default: false
            }
        }
        return (index ?? text.endIndex) - text.startIndex
    }

    @Test("the first control byte is found wherever it is, and line ends are none")
    func controls() {
        var random = SeededGenerator(seed: 7)
        let special: [UInt8] = [0x00, 0x08, 0x09, 0x0a, 0x0b, 0x0d, 0x1b, 0x1f, 0x20, 0x7e, 0x7f, 0x80, 0x9b, 0xff]
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...200, using: &random)
            let start = Int.random(in: 0..<16, using: &random)
            var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: start + count + 1)
            // What follows the text must not count.
            bytes[start + count] = Bool.random(using: &random) ? 0x0a : 0x1b
            for _ in 0..<Int.random(in: 0...4, using: &random) where count > 0 {
                let index = start + Int.random(in: 0..<count, using: &random)
                bytes[index] = special.randomElement(using: &random)!
                if bytes[index] == 0x0d, Bool.random(using: &random) {
                    bytes[index + 1] = 0x0a
                }
            }
            let text = bytes[start..<start + count]
            #expect(text.withUnsafeBytes { gl_first_control($0.baseAddress, $0.count) } == reference(text))
        }
    }

    @Test("bytes are counted, whatever their number")
    func counts() {
        for count in [0, 1, 15, 16, 17, 4080, 4081, 10_000] {
            let text = (0..<count).map { UInt8($0 % 3 == 0 ? 0x0a : 0x61) }
            #expect(gl_count_byte(text, text.count, 0x0a) == (count + 2) / 3)
        }
        let feeds = [UInt8](repeating: 0x0a, count: 5000)
        #expect(gl_count_byte(feeds, feeds.count, 0x0a) == 5000)
    }

    @Test("two bytes are found where they follow each other first, and not beyond the end")
    func pairs() {
        var random = SeededGenerator(seed: 11)
        let needle = Array(":[".utf8)
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...200, using: &random)
            var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: count + 1)
            // What follows the text must not count.
            bytes[count] = needle[1]
            for _ in 0..<Int.random(in: 0...8, using: &random) where count > 0 {
                bytes[Int.random(in: 0..<count, using: &random)] = needle.randomElement(using: &random)!
            }
            let wanted = (0..<max(0, count - 1)).first { bytes[$0] == needle[0] && bytes[$0 + 1] == needle[1] }
            let found = bytes.withUnsafeBytes { bytes in
                gl_memmem(bytes.baseAddress, count, needle, needle.count).map { $0 - bytes.baseAddress! }
            }
            #expect(found == wanted)
        }
    }
}
