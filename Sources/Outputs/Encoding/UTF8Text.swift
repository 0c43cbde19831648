// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Text for formats that carry UTF-8 only.
enum UTF8Text {
    /// Appends `text` as valid UTF-8: each maximal part of malformed UTF-8 becomes U+FFFD.
    static func append(_ text: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        guard !isASCII(text) else {
            out.append(contentsOf: text)
            return
        }
        out.append(contentsOf: String(decoding: text, as: UTF8.self).utf8)
    }

    static func append(_ text: [UInt8], to out: inout [UInt8]) {
        text.withUnsafeBytes { append($0, to: &out) }
    }

    private static func isASCII(_ text: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        var bits: UInt64 = 0
        while offset + 8 <= text.count {
            bits |= text.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        while offset < text.count {
            bits |= UInt64(text[offset])
            offset += 1
        }
        return bits & 0x8080_8080_8080_8080 == 0
    }
}
