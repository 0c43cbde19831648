// SPDX-License-Identifier: Apache-2.0

/// Runs of bytes that every format writes unchanged.
public enum PlainText {
    /// The end of the run of printable ASCII without backslash, and without `other`, that begins at `start`.
    ///
    /// Eight bytes at a time, since nearly all console bytes are such: `(w - 0x20…) & ~w` sets a byte's top bit when
    /// it is below 0x20, and the same with 1 after an exclusive-or when it equals the other operand. A borrow can set
    /// the bit wrongly only above a byte that has it rightly, so the lowest bit set is always true.
    @inlinable @inline(__always)
    public static func end(
        in bytes: UnsafeRawBufferPointer,
        from start: Int,
        orAt other: UInt8 = UInt8(ascii: "\\")
    ) -> Int {
        var offset = start
        while offset + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            let stops = stops(in: word, other)
            if stops != 0 {
                return offset + stops.trailingZeroBitCount / 8
            }
            offset += 8
        }
        // Names are short.
        if offset + 4 <= bytes.count {
            let word = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
            let stops = stops(in: word, other)
            if stops != 0 {
                return offset + stops.trailingZeroBitCount / 8
            }
            offset += 4
        }
        while offset < bytes.count, (0x20..<0x7f).contains(bytes[offset]), bytes[offset] != 0x5c, bytes[offset] != other
        {
            offset += 1
        }
        return offset
    }

    /// The highest bits of the bytes of `word` that end a run, and of some above such a byte.
    @inlinable @inline(__always)
    static func stops<Word: FixedWidthInteger & UnsignedInteger>(in word: Word, _ other: UInt8) -> Word {
        let ones = Word.max / 0xff
        let low = (word &- 0x20 &* ones) & ~word
        let backslash = word ^ (0x5c &* ones)
        let delete = word ^ (0x7f &* ones)
        let another = word ^ (Word(truncatingIfNeeded: other) &* ones)
        let others = ((backslash &- ones) & ~backslash) | ((delete &- ones) & ~delete) | ((another &- ones) & ~another)
        return (low | others | word) & (0x80 &* ones)
    }
}
