// SPDX-License-Identifier: Apache-2.0

import Gzip
import Testing
import TestTraits

@Suite(.blocking) struct GzipTests {
    @Test("what was compressed is decompressed, whatever its size")
    func roundTrip() throws {
        for size in [0, 1, 100, 65_536, 300_000] {
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 7) }
            #expect(try Gzip.decompress(Gzip.compress(bytes), limit: 1 << 20) == bytes)
        }
    }

    @Test("two members one after the other are one text")
    func members() throws {
        let bytes = try Gzip.compress(Array("one ".utf8)) + Gzip.compress(Array("two".utf8))
        #expect(try Gzip.decompress(bytes, limit: 100) == Array("one two".utf8))
    }

    @Test("a bomb ends at the limit")
    func bomb() throws {
        let zeros = try Gzip.compress([UInt8](repeating: 0, count: 10 << 20))
        let bomb = (0..<1000).flatMap { _ in zeros }
        #expect(throws: Gzip.Failure.tooLarge(limit: 1 << 20)) { _ = try Gzip.decompress(bomb, limit: 1 << 20) }
    }

    @Test("what was cut, changed or never was gzip is malformed")
    func malformed() throws {
        let whole = try Gzip.compress(Array("some text that is compressed".utf8))
        for count in 0..<whole.count {
            #expect(throws: Gzip.Failure.malformed, "cut at \(count)") {
                _ = try Gzip.decompress(Array(whole[..<count]), limit: 1000)
            }
        }
        #expect(throws: Gzip.Failure.malformed) { _ = try Gzip.decompress(Array("plain".utf8), limit: 1000) }
    }
}
