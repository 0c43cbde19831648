// SPDX-License-Identifier: Apache-2.0

/// Named control characters.
enum Byte {
    static let backspace: UInt8 = 0x08
    static let tab: UInt8 = 0x09
    static let feed: UInt8 = 0x0a
    static let verticalTab: UInt8 = 0x0b
    static let formFeed: UInt8 = 0x0c
    static let carriageReturn: UInt8 = 0x0d
    static let shiftOut: UInt8 = 0x0e
    static let shiftIn: UInt8 = 0x0f
    static let escape: UInt8 = 0x1b
    static let backslash: UInt8 = 0x5c
    static let delete: UInt8 = 0x7f

    /// Whether a terminal does nothing visible on it: NUL, ENQ, BEL, the shifts, the flow controls XON and XOFF.
    static func isIgnored(_ byte: UInt8) -> Bool {
        switch byte {
        case 0, 0x05, 0x07, 0x0e, 0x0f, 0x11, 0x13: true
        default: false
        }
    }
}

/// The structure of UTF-8 sequences.
enum UTF8Shape {
    /// The length of the UTF-8 sequence that begins with `first`, one of 0xc2–0xf4.
    static func length(startingWith first: UInt8) -> Int {
        first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    }

    /// The valid second bytes after `first` (The Unicode Standard, table 3-7): fewer than all continuation bytes where
    /// those would encode an overlong form, a surrogate, or more than U+10FFFF.
    static func secondBytes(after first: UInt8) -> ClosedRange<UInt8> {
        switch first {
        case 0xe0: 0xa0...0xbf
        case 0xed: 0x80...0x9f
        case 0xf0: 0x90...0xbf
        case 0xf4: 0x80...0x8f
        default: 0x80...0xbf
        }
    }

    /// The length of the well-formed character at `at`, or 1: a byte that begins none stands for itself.
    static func characterLength(in bytes: UnsafeRawBufferPointer, at start: Int) -> Int {
        guard (0xc2...0xf4).contains(bytes[start]) else {
            return 1
        }
        let length = length(startingWith: bytes[start])
        guard start + length <= bytes.count, secondBytes(after: bytes[start]).contains(bytes[start + 1]),
            bytes[(start + 2)..<(start + length)].allSatisfy({ (0x80...0xbf).contains($0) })
        else {
            return 1
        }
        return length
    }

    /// Whether the character is shown in the cell of the one before it: a combining diacritical mark, a variation
    /// selector, a zero-width joiner or non-joiner.
    static func isCombining(_ character: UnsafeRawBufferPointer) -> Bool {
        switch (character.count, character[0]) {
        case (2, 0xcc): true
        case (2, 0xcd): character[1] < 0xb0
        case (3, 0xe2): character[1] == 0x80 && (0x8c...0x8d).contains(character[2])
        case (3, 0xef): character[1] == 0xb8 && character[2] < 0x90
        default: false
        }
    }
}
