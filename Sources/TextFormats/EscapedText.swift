// SPDX-License-Identifier: Apache-2.0

/// How a byte and a code point are written where they are escaped: `\xNN`, `\u{N}`.
enum EscapedText {
    static func append(byte: UInt8, to out: inout [UInt8]) {
        out.append(Byte.backslash)
        out.append(UInt8(ascii: "x"))
        out.append(digit(byte >> 4))
        out.append(digit(byte & 15))
    }

    static func append(codePoint: UInt32, to out: inout [UInt8]) {
        out.append(contentsOf: [Byte.backslash, UInt8(ascii: "u"), UInt8(ascii: "{")])
        let digits = max(1, (32 - codePoint.leadingZeroBitCount + 3) / 4)
        for index in (0..<digits).reversed() {
            out.append(digit(UInt8(truncatingIfNeeded: codePoint >> UInt32(4 * index)) & 15))
        }
        out.append(UInt8(ascii: "}"))
    }

    static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
