// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogStore

/// Finds candidates for a pattern's matches in whole blocks, faster than matching.
///
/// Every match contains the literal; a hit need not be a match.
struct LiteralSearch {
    private let needle: [UInt8]
    /// When case is ignored: bits that convert the needle's first and last byte to lower case.
    private let folds: (first: UInt8, last: UInt8)?

    /// A search for `pattern`'s literal; nil when it has none.
    init?(_ pattern: Pattern) {
        if let literal = pattern.requiredLiteral {
            self.init(literal, isFolded: false)
            return
        }
        guard pattern.ignoresCase, let literal = RequiredLiteral.find(in: Array(pattern.expression.utf8)),
            let stable = Self.longestStableRun(in: literal), !stable.isEmpty
        else {
            return nil
        }
        self.init(stable, isFolded: true)
    }

    /// A search for the beginning of an array that is a member of a JSON object.
    static let jsonArray = LiteralSearch(Array(":[".utf8), isFolded: false)

    /// The same for the filters of segments; nil when it is too short.
    var word: SearchWord? { SearchWord(needle) }

    /// Whether it is the same in all supersets of ASCII.
    var isASCII: Bool { needle.allSatisfy { $0 < 0x80 } }

    /// A search for a part of the literal in records written in JSON, nil when no part is certainly written there as it
    /// is shown: JSON escapes some characters, and has others than `=` and a space between the names and values of a
    /// record without a message.
    var inJSON: LiteralSearch? {
        let parts = needle.split { byte in
            !(0x21..<0x7f).contains(byte) || [0x22, 0x2f, 0x3d, 0x5c].contains(byte)
        }
        return parts.max { $0.count < $1.count }.map { LiteralSearch(Array($0), isFolded: folds != nil) }
    }

    private init(_ needle: [UInt8], isFolded: Bool) {
        self.needle = needle
        folds = isFolded ? (Self.fold(needle[0]), Self.fold(needle[needle.count - 1])) : nil
    }

    /// The longest run of `literal` whose characters have no case variants outside ASCII: k and s also match the Kelvin
    /// sign and the long s.
    private static func longestStableRun(in literal: [UInt8]) -> [UInt8]? {
        let runs = literal.map { byte in
            byte >= 0x80 || [UInt8(ascii: "k"), UInt8(ascii: "s")].contains(byte | 0x20) ? nil : lowercase(byte)
        }.split(separator: nil)
        return runs.max { $0.count < $1.count }.map { $0.compactMap { $0 } }
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    private static func fold(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) ? 0x20 : 0
    }

    /// The first position of the literal in `text`.
    func firstHit(in text: UnsafeRawBufferPointer) -> Int? {
        guard let base = text.baseAddress, text.count >= needle.count else {
            return nil
        }
        guard let folds else {
            return needle.withUnsafeBytes { needle in
                gl_memmem(base, text.count, needle.baseAddress, needle.count).map { $0 - UnsafeRawPointer(base) }
            }
        }
        return needle.withUnsafeBytes { needle in
            Self.firstHit(of: needle, folds, in: text)
        }
    }

    /// Thirty-two positions at a time: where both the needle's first and last byte match, the rest is compared.
    private static func firstHit(
        of needle: UnsafeRawBufferPointer,
        _ folds: (first: UInt8, last: UInt8),
        in text: UnsafeRawBufferPointer
    ) -> Int? {
        let lastIndex = needle.count - 1
        let first = SIMD32<UInt8>(repeating: needle[0])
        let last = SIMD32<UInt8>(repeating: needle[lastIndex])
        let firstFold = SIMD32<UInt8>(repeating: folds.first)
        let lastFold = SIMD32<UInt8>(repeating: folds.last)
        let end = text.count - lastIndex
        var offset = 0
        while offset + 32 <= end {
            let heads = text.loadUnaligned(fromByteOffset: offset, as: SIMD32<UInt8>.self) | firstFold
            let tails = text.loadUnaligned(fromByteOffset: offset + lastIndex, as: SIMD32<UInt8>.self) | lastFold
            // Zero where both match.
            let differences = (heads ^ first) | (tails ^ last)
            if differences.min() == 0 {
                for lane in 0..<32 where differences[lane] == 0 && isHit(needle, in: text, at: offset + lane) {
                    return offset + lane
                }
            }
            offset += 32
        }
        while offset < end {
            if isHit(needle, in: text, at: offset) {
                return offset
            }
            offset += 1
        }
        return nil
    }

    private static func isHit(_ needle: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer, at offset: Int) -> Bool
    {
        for index in needle.indices where lowercase(text[offset + index]) != needle[index] {
            return false
        }
        return true
    }
}
