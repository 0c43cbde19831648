// SPDX-License-Identifier: Apache-2.0

/// Bytes in base 64 (RFC 4648, section 4).
public enum Base64 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let padding = UInt8(ascii: "=")

    /// Appends `bytes` to `out`.
    public static func append(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        var offset = 0
        while offset < bytes.count {
            let count = min(3, bytes.count - offset)
            var group: UInt32 = 0
            for index in 0..<3 {
                group = group << 8 | (index < count ? UInt32(bytes[offset + index]) : 0)
            }
            for index in 0..<4 {
                let isFilled = index <= count
                out.append(isFilled ? digits[Int(group >> UInt32(18 - 6 * index)) & 63] : padding)
            }
            offset += 3
        }
    }

    /// Decodes `text`; nil when it is not valid base 64 with padding.
    public static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var group: UInt32 = 0
        var count = 0
        var padded = 0
        for digit in text {
            if digit == padding {
                padded += 1
                continue
            }
            guard padded == 0, let value = value(of: digit) else {
                return nil
            }
            group = group << 6 | value
            count += 1
            // Each digit from the second of a group on completes a byte.
            if count % 4 != 1 {
                let left = UInt32(8 - count % 4 * 2) % 8
                bytes.append(UInt8(truncatingIfNeeded: group >> left))
            }
        }
        return padded <= 2 && (count + padded) % 4 == 0 && count % 4 != 1 ? bytes : nil
    }

    private static func value(of digit: UInt8) -> UInt32? {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(digit - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(digit - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(digit - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
