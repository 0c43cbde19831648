// SPDX-License-Identifier: Apache-2.0

import CBytes
import TestSupport
import TestTraits
import Testing

@Suite(.blocking) struct CRC32CTests {
    /// The definition, bit by bit.
    private func reference(_ crc: UInt32, _ bytes: ArraySlice<UInt8>) -> UInt32 {
        var crc = ~crc
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 {
                let isOdd = crc & 1 != 0
                crc >>= 1
                crc ^= isOdd ? 0x82f6_3b78 : 0
            }
        }
        return ~crc
    }

    private func checksum(_ crc: UInt32, _ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.withUnsafeBytes { gl_crc32c(crc, $0.baseAddress, $0.count) }
    }

    @Test("the examples of RFC 3720, appendix B.4, have their checksums")
    func examples() {
        #expect(checksum(0, [UInt8](repeating: 0, count: 32)[...]) == 0x8a91_36aa)
        #expect(checksum(0, [UInt8](repeating: 0xff, count: 32)[...]) == 0x62a8_ab43)
        #expect(checksum(0, (0..<32).map { UInt8($0) }[...]) == 0x46dd_794e)
        #expect(checksum(0, (0..<32).reversed().map { UInt8($0) }[...]) == 0x113f_db5c)
    }

    @Test("texts of every length around the parts that are read side by side have the checksum of the definition")
    func lengths() {
        var random = SeededGenerator(seed: 5)
        let bytes = (0..<8000).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        for part in [0, 8, 512, 1024, 1536, 3072, 4608, 6144] {
            for count in max(0, part - 9)...part + 9 {
                let start = Int.random(in: 0..<16, using: &random)
                let crc = UInt32.random(in: .min ... .max, using: &random)
                let text = bytes[start..<start + count]
                #expect(checksum(crc, text) == reference(crc, text))
            }
        }
    }

    @Test("a text in two parts has the checksum of the whole")
    func parts() {
        let bytes = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for cut in [0, 1, 511, 1537, 4999, 5000] {
            #expect(checksum(checksum(0, bytes[..<cut]), bytes[cut...]) == checksum(0, bytes[...]))
        }
    }
}
