// SPDX-License-Identifier: Apache-2.0

import CBytes
import TestTraits
import Testing

@Suite(.blocking) struct SHA256Tests {
    private func digest(_ bytes: [UInt8]) -> String {
        var digest = [UInt8](repeating: 0, count: Int(GL_SHA256_SIZE))
        gl_sha256(bytes, bytes.count, &digest)
        return digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test(
        "the examples of FIPS 180-4 have the digests that NIST publishes",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ]
    )
    func examples(_ text: String, _ wanted: String) {
        #expect(digest(Array(text.utf8)) == wanted)
    }

    @Test("a million letters a have the published digest")
    func long() {
        let wanted = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        #expect(digest([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)) == wanted)
    }

    @Test("bytes are equal when all of them are")
    func equality() {
        let bytes: [UInt8] = [1, 2, 3, 4]
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 0x80
            #expect(!gl_equal_in_constant_time(bytes, other, bytes.count))
        }
        #expect(gl_equal_in_constant_time(bytes, bytes, bytes.count))
    }
}
