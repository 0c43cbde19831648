// SPDX-License-Identifier: Apache-2.0

/// A set of pairs of bytes: a bit for each.
struct BytePairs: Sendable {
    private var words = [UInt64](repeating: 0, count: 1 << 10)

    mutating func insert(_ first: UInt8, _ second: UInt8) {
        let number = Int(first) << 8 | Int(second)
        words[number >> 6] |= 1 << UInt64(number & 63)
    }

    func contains(_ first: UInt8, _ second: UInt8) -> Bool {
        let number = Int(first) << 8 | Int(second)
        return words[number >> 6] >> UInt64(number & 63) & 1 != 0
    }
}
