// SPDX-License-Identifier: Apache-2.0

extension Array where Element == UInt8 {
    /// Each byte as two lower-case hexadecimal digits.
    public var hexadecimal: String {
        String(unsafeUninitializedCapacity: 2 * count) { digits in
            for (index, byte) in enumerated() {
                digits[2 * index] = UInt8.digit(byte >> 4, from: UInt8(ascii: "a"))
                digits[2 * index + 1] = UInt8.digit(byte & 15, from: UInt8(ascii: "a"))
            }
            return 2 * count
        }
    }

    /// The bytes of a text of hexadecimal digits, two a byte; nil for any other text.
    public init?(hexadecimal text: some StringProtocol) {
        self.init()
        var digits = text.utf8.makeIterator()
        while let high = digits.next() {
            guard let low = digits.next(), let byte = UInt8(hexadecimalDigits: high, low) else {
                return nil
            }
            append(byte)
        }
    }
}

extension UInt8 {
    /// The byte with two hexadecimal digits in ASCII, of either case; nil when one is no digit.
    init?(hexadecimalDigits high: UInt8, _ low: UInt8) {
        guard let high = high.hexadecimalValue, let low = low.hexadecimalValue else {
            return nil
        }
        self = high << 4 | low
    }

    /// The digit of a value below 16; the digits from 10 on begin with `ten`.
    static func digit(_ value: UInt8, from ten: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : ten + value - 10
    }

    /// Whether this is a decimal digit in ASCII.
    @inlinable
    public var isDecimalDigit: Bool { self &- UInt8(ascii: "0") <= 9 }

    /// The value of this hexadecimal digit in ASCII; nil if it is not a digit.
    public var hexadecimalValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
