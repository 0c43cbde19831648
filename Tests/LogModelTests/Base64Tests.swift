// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing

@Suite(.blocking) struct Base64Tests {
    /// RFC 4648, section 10.
    private static let vectors = [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ]

    private func encoded(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        bytes.withUnsafeBytes { Base64.append($0, to: &text) }
        return text
    }

    @Test("the RFC's examples, in both directions")
    func vectors() {
        for (plain, text) in Self.vectors {
            #expect(encoded(Array(plain.utf8)) == Array(text.utf8))
            #expect(Base64.decode(text.utf8) == Array(plain.utf8))
        }
    }

    @Test("any bytes are unchanged after encoding and decoding")
    func roundTrip() {
        var random = SeededGenerator(seed: 1)
        for count in 0..<200 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(Base64.decode(encoded(bytes)) == bytes)
        }
    }

    @Test("invalid base 64 is refused")
    func odd() {
        for text in ["Z", "Zg", "Zg=", "Zg===", "Zm9v=", "Z===", "====", "=", "Zm8=Zm8=", "Zm 9v", "Zm9v\n", "Zm9-"] {
            #expect(Base64.decode(text.utf8) == nil, "\(text)")
        }
    }
}
