// SPDX-License-Identifier: Apache-2.0

import LogModel

/// SHA-512 (FIPS 180-4, section 6.4), for the digests of the Forward protocol's handshake.
public enum SHA512 {
    /// The digest of `message`, 64 bytes.
    public static func digest(_ message: [UInt8]) -> [UInt8] {
        var state = initial
        var padded = message + [0x80]
        while padded.count % 128 != 112 {
            padded.append(0)
        }
        // The length in bits, in 128 bits.
        padded += [UInt8](repeating: 0, count: 8)
        padded.append(bigEndian: UInt64(message.count) * 8)
        for start in stride(from: 0, to: padded.count, by: 128) {
            compress(padded[start..<start + 128], into: &state)
        }
        return state.flatMap { [UInt8](bigEndian: $0) }
    }

    /// The digest in hexadecimal digits.
    public static func hexadecimal(_ message: [UInt8]) -> String {
        digest(message).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func compress(_ block: ArraySlice<UInt8>, into state: inout [UInt64]) {
        var words = [UInt64](repeating: 0, count: 80)
        for index in 0..<16 {
            let start = block.startIndex + index * 8
            words[index] = block[start..<start + 8].bigEndian
        }
        for index in 16..<80 {
            let (a, b) = (words[index - 15], words[index - 2])
            let first = rotated(a, 1) ^ rotated(a, 8) ^ (a >> 7)
            let second = rotated(b, 19) ^ rotated(b, 61) ^ (b >> 6)
            words[index] = words[index - 16] &+ first &+ words[index - 7] &+ second
        }
        var v = state
        for index in 0..<80 {
            let sum1 = rotated(v[4], 14) ^ rotated(v[4], 18) ^ rotated(v[4], 41)
            let choice = (v[4] & v[5]) ^ (~v[4] & v[6])
            let first = v[7] &+ sum1 &+ choice &+ constants[index] &+ words[index]
            let sum0 = rotated(v[0], 28) ^ rotated(v[0], 34) ^ rotated(v[0], 39)
            let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2])
            v = [first &+ sum0 &+ majority, v[0], v[1], v[2], v[3] &+ first, v[4], v[5], v[6]]
        }
        for index in 0..<8 {
            state[index] &+= v[index]
        }
    }

    private static func rotated(_ word: UInt64, _ count: UInt64) -> UInt64 { word >> count | word << (64 - count) }

    // The first 64 bits of the fractional parts of the square roots of the first 8 primes, and of the cube roots of the
    // first 80 (sections 5.3.5 and 4.2.3), computed with integers.
    private static let initial = primes.prefix(8).map { fraction(ofRoot: 2, of: $0) }
    private static let constants = primes.map { fraction(ofRoot: 3, of: $0) }

    private static let primes: [UInt64] = {
        var primes: [UInt64] = []
        var candidate: UInt64 = 2
        while primes.count < 80 {
            if primes.allSatisfy({ candidate % $0 != 0 }) {
                primes.append(candidate)
            }
            candidate += 1
        }
        return primes
    }()

    /// The largest x with x^degree ≤ number · 2^(64·degree), modulo 2^64: found bit by bit in wide integers.
    private static func fraction(ofRoot degree: Int, of number: UInt64) -> UInt64 {
        var root = Wide(words: [0, 0])
        let target = Wide(words: [UInt64](repeating: 0, count: degree) + [number])
        for bit in (0..<68).reversed() {
            var trial = root
            trial.words[bit / 64] |= 1 << UInt64(bit % 64)
            var power = trial
            for _ in 1..<degree {
                power = power.multiplied(by: trial)
            }
            if power.isAtMost(target) {
                root = trial
            }
        }
        return root.words[0]
    }

    /// A number of several words, the least significant first.
    private struct Wide {
        var words: [UInt64]

        func multiplied(by other: Wide) -> Wide {
            var product = [UInt64](repeating: 0, count: words.count + other.words.count)
            for (index, word) in words.enumerated() {
                var carry: UInt64 = 0
                for (offset, factor) in other.words.enumerated() {
                    let (high, low) = word.multipliedFullWidth(by: factor)
                    let (first, carried) = product[index + offset].addingReportingOverflow(low)
                    let (sum, again) = first.addingReportingOverflow(carry)
                    product[index + offset] = sum
                    carry = high &+ (carried ? 1 : 0) &+ (again ? 1 : 0)
                }
                product[index + other.words.count] &+= carry
            }
            return Wide(words: product)
        }

        func isAtMost(_ other: Wide) -> Bool {
            for index in (0..<max(words.count, other.words.count)).reversed() {
                let own = index < words.count ? words[index] : 0
                let theirs = index < other.words.count ? other.words[index] : 0
                if own != theirs {
                    return own < theirs
                }
            }
            return true
        }
    }
}
