// SPDX-License-Identifier: Apache-2.0

import FuzzTargets
import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

/// Every fuzz target over the committed corpus, and over random changes of it. `scripts/fuzz` runs libFuzzer over the
/// same targets.
@Suite(.blocking) struct FuzzTests {
    /// The number of random inputs; `GUESTLOG_FUZZ` sets another.
    private static let rounds = getenv("GUESTLOG_FUZZ").flatMap { Int(String(cString: $0)) } ?? 3000
    private static let longest = 4096

    @Test("whatever the input is, no parser crashes, and what must hold holds", arguments: FuzzTarget.allCases)
    func holds(_ target: FuzzTarget) throws {
        let corpus = try Self.corpus(of: target)
        #expect(corpus.count >= 5)
        for input in corpus {
            let violation = target.check(input)
            #expect(violation == nil, "\(Self.escaped(input))")
        }
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        for round in 0..<Self.rounds {
            let input = Self.change(corpus, &random)
            if let violation = target.check(input) {
                Issue.record("seed \(seed), round \(round): \(violation): \(Self.escaped(input))")
                return
            }
        }
    }

    /// The inputs in the target's file: one a line, with `\xNN` for any byte and `\\` for a backslash.
    private static func corpus(of target: FuzzTarget) throws -> [[UInt8]] {
        let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
        let path = "/\(folder)/Corpus/\(target.rawValue).txt"
        let text = try #require(try LinuxFileSystem().contents(of: path))
        return text.split(separator: Lines.feed).map { line in
            var bytes: [UInt8] = []
            var rest = line
            while let byte = rest.popFirst() {
                guard byte == UInt8(ascii: "\\") else {
                    bytes.append(byte)
                    continue
                }
                if rest.popFirst() == UInt8(ascii: "x") {
                    bytes += [UInt8](hexadecimal: String(decoding: rest.prefix(2), as: UTF8.self)) ?? []
                    rest = rest.dropFirst(2)
                } else {
                    bytes.append(byte)
                }
            }
            return bytes
        }
    }

    /// An input as a line of a corpus file.
    private static func escaped(_ input: [UInt8]) -> String {
        input.map { byte in
            switch byte {
            case UInt8(ascii: "\\"): "\\\\"
            case 0x20..<0x7f: String(UnicodeScalar(byte))
            default: "\\x" + [byte].hexadecimal
            }
        }.joined()
    }

    /// One of the inputs after a few changes, or a mix of two.
    private static func change(_ corpus: [[UInt8]], _ random: inout SeededGenerator) -> [UInt8] {
        var input = corpus.randomElement(using: &random) ?? []
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let offset = Int.random(in: 0...input.count, using: &random)
            let end = min(input.count, offset + Int.random(in: 0...8, using: &random))
            switch Int.random(in: 0..<6, using: &random) {
            case 0 where offset < input.count: input[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1 where offset < input.count: input[offset] = .random(in: 0...255, using: &random)
            case 2: input.removeSubrange(offset..<end)
            case 3: input.insert(contentsOf: Array(input[offset..<end]), at: offset)
            case 4:
                let other = corpus.randomElement(using: &random) ?? []
                input = input.prefix(offset) + other.suffix(Int.random(in: 0...other.count, using: &random))
            default: input.insert(.random(in: 0...255, using: &random), at: offset)
            }
        }
        return Array(input.prefix(longest))
    }
}
