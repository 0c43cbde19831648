// SPDX-License-Identifier: Apache-2.0

/// Named control characters.
enum Byte {
    static let tab: UInt8 = 0x09
    static let feed: UInt8 = 0x0a
    static let carriageReturn: UInt8 = 0x0d
    static let escape: UInt8 = 0x1b
    static let backslash: UInt8 = 0x5c
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
}
