// SPDX-License-Identifier: Apache-2.0

/// Bytes of a text that belong to no UTF-8 character.
public enum InvalidBytes {
    /// `text` with each of them replaced by SUBSTITUTE (U+001A), so that all positions stay the same.
    public static func substituted(in text: UnsafeRawBufferPointer) -> [UInt8] {
        var bytes = Array(text)
        var place = 0
        while place < text.count {
            let length = text[place] < 0x80 ? 1 : UTF8Shape.characterLength(in: text, at: place)
            if length == 1, text[place] >= 0x80 {
                bytes[place] = 0x1a
            }
            place += length
        }
        return bytes
    }
}
