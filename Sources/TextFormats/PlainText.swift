/// The control characters this room knows by name.
enum Byte {
    static let tab: UInt8 = 0x09
    static let feed: UInt8 = 0x0a
    static let carriageReturn: UInt8 = 0x0d
    static let escape: UInt8 = 0x1b
    static let backslash: UInt8 = 0x5c
}

/// The shape of text in bytes: runs of printable ASCII, and the shape of a UTF-8 sequence.
enum PlainText {
    /// The end of the run of printable ASCII without backslash that begins at `start`.
    ///
    /// Eight bytes at a time, since nearly all console bytes are such: `(w - 0x20…) & ~w` sets a byte's top bit when
    /// it is below 0x20, and the same with 1 after an exclusive-or when it equals the other operand. A borrow can set
    /// the bit wrongly only above a byte that has it rightly, so the lowest bit set is always true.
    @inline(__always)
    static func end(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var at = start
        while at + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            let low = (word &- 0x20 &* ones) & ~word
            let backslash = word ^ (0x5c &* ones)
            let delete = word ^ (0x7f &* ones)
            let others = ((backslash &- ones) & ~backslash) | ((delete &- ones) & ~delete)
            let stops = (low | others | word) & (0x80 &* ones)
            if stops != 0 {
                return at + stops.trailingZeroBitCount / 8
            }
            at += 8
        }
        while at < bytes.count, (0x20..<0x7f).contains(bytes[at]), bytes[at] != Byte.backslash {
            at += 1
        }
        return at
    }

    private static let ones: UInt64 = 0x0101_0101_0101_0101

    /// How long the UTF-8 sequence is that begins with `first`, one of 0xc2–0xf4.
    static func length(startingWith first: UInt8) -> Int {
        first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    }

    /// What may follow `first` (The Unicode Standard, table 3-7): less than any continuation byte where that would
    /// spell an overlong form, a surrogate, or more than U+10FFFF.
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
