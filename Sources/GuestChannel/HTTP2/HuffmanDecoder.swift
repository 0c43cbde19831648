// SPDX-License-Identifier: Apache-2.0

/// Decodes HPACK's Huffman code (RFC 7541, appendix B).
///
/// The code is canonical: codes of one length are consecutive numbers, in the order of their symbols. So the lengths
/// determine it.
enum HuffmanDecoder {
    /// The length in bits of each symbol's code; symbol 256 is the end of a string.
    private static let lengths: [UInt8] = [
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28,
        28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15,
        6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
        15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22,
        20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23,
        23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22,
        22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26,
        27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27,
        26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
    ]

    /// The codes of one length: the first of them, and their symbols in order.
    private struct Codes {
        var first: UInt32 = 0
        var symbols: [UInt16] = []
    }

    private static let longest = 30
    private static let endOfString: UInt16 = 256

    /// The codes by their length.
    private static let codes: [Codes] = {
        var codes = [Codes](repeating: Codes(), count: longest + 1)
        for (symbol, length) in lengths.enumerated() {
            codes[Int(length)].symbols.append(UInt16(symbol))
        }
        var next: UInt32 = 0
        for length in 1...longest {
            next <<= 1
            codes[length].first = next
            next += UInt32(codes[length].symbols.count)
        }
        return codes
    }()

    /// The decoded bytes; nil when `bytes` is not a string in this code: padding is less than a byte, and all ones.
    static func decode(_ bytes: some Sequence<UInt8>) -> [UInt8]? {
        var out: [UInt8] = []
        var (code, length): (UInt32, Int) = (0, 0)
        for byte in bytes {
            for shift in stride(from: 7, through: 0, by: -1) {
                code = code << 1 | UInt32(byte >> UInt8(shift) & 1)
                length += 1
                guard length <= longest else {
                    return nil
                }
                let candidates = codes[length]
                guard code >= candidates.first, code - candidates.first < candidates.symbols.count else {
                    continue
                }
                let symbol = candidates.symbols[Int(code - candidates.first)]
                guard symbol != endOfString else {
                    return nil
                }
                out.append(UInt8(symbol))
                (code, length) = (0, 0)
            }
        }
        return length < 8 && code == 1 << UInt32(length) - 1 ? out : nil
    }
}
