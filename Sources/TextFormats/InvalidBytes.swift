// SPDX-License-Identifier: Apache-2.0

/// Bytes of a text that belong to no UTF-8 character.
public enum InvalidBytes {
    /// `text` with each of them replaced by SUBSTITUTE (U+001A), so that all offsets stay the same.
    public static func substituted(in text: UnsafeRawBufferPointer) -> [UInt8] {
        var bytes = Array(text)
        var offset = 0
        while offset < text.count {
            let length = text[offset] < 0x80 ? 1 : UTF8Shape.characterLength(in: text, at: offset)
            if length == 1, text[offset] >= 0x80 {
                bytes[offset] = 0x1a
            }
            offset += length
        }
        return bytes
    }
}
