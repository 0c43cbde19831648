// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// Tells which lines of a text a terminal shows as they are stored: nearly all of them.
///
/// Remembers the next place that needs a closer look, so that a text is searched once, however many lines it has.
public struct PlainLines {
    /// No control byte is in the text between the last asked place and this one.
    private var control = 0
    /// No kernel time stamp either.
    private var stamp = 0

    /// Nothing of the text is known yet.
    public init() {}

    /// Whether `range` of `text` has no control byte, but for TAB and the CR and LF of a line's end, and no kernel time
    /// stamp after its first byte. The ranges must be asked for in order.
    public mutating func isPlain(_ range: Range<Int>, in text: UnsafeRawBufferPointer) -> Bool {
        nextControl(in: text, from: range.lowerBound) >= range.upperBound
            && nextStamp(in: text, after: range.lowerBound) >= range.upperBound
    }

    /// The first control byte at or after `start`; the end of the text when there is none.
    mutating func nextControl(in text: UnsafeRawBufferPointer, from start: Int) -> Int {
        if control < start || control == 0 {
            control = Self.firstControl(in: text, from: start)
        }
        return control
    }

    private mutating func nextStamp(in text: UnsafeRawBufferPointer, after start: Int) -> Int {
        while stamp <= start {
            stamp = Self.firstStamp(in: text, from: start + 1)
        }
        return stamp
    }

    /// Whether a stamp may begin at `place`.
    func hasStamp(at place: Int, in text: UnsafeRawBufferPointer) -> Bool {
        place < text.count && (text[place] == UInt8(ascii: "[") || text[place] == UInt8(ascii: "<"))
            && KernelStamp.match(text, at: place) != .none
    }

    private static func firstStamp(in text: UnsafeRawBufferPointer, from start: Int) -> Int {
        guard let base = text.baseAddress else {
            return .max
        }
        var at = start
        while at < text.count, let hit = memchr(base + at, Int32(UInt8(ascii: "[")), text.count - at) {
            let place = UnsafeRawPointer(hit) - base
            // Most stamps begin a line.
            if text[max(place - 1, 0)] != Byte.feed, KernelStamp.match(text, at: place) != .none {
                return place
            }
            at = place + 1
        }
        return .max
    }

    /// The bytes below 0x20 and DEL are looked at one by one; the others are passed 32 or 8 at a time.
    static func firstControl(in text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var at = start
        while at + 32 <= text.count {
            let low = (
                lowBytes(in: text, at: at), lowBytes(in: text, at: at + 8), lowBytes(in: text, at: at + 16),
                lowBytes(in: text, at: at + 24)
            )
            if low.0 | low.1 | low.2 | low.3 != 0,
                let place = firstControl(low.0, in: text, at: at) ?? firstControl(low.1, in: text, at: at + 8)
                    ?? firstControl(low.2, in: text, at: at + 16) ?? firstControl(low.3, in: text, at: at + 24)
            {
                return place
            }
            at += 32
        }
        while at + 8 <= text.count {
            if let place = firstControl(lowBytes(in: text, at: at), in: text, at: at) {
                return place
            }
            at += 8
        }
        while at < text.count, !isControl(text, at) {
            at += 1
        }
        return at
    }

    /// The first control byte among those of the eight at `place` that `low` tells.
    @inline(__always)
    private static func firstControl(_ low: UInt64, in text: UnsafeRawBufferPointer, at place: Int) -> Int? {
        var left = low
        while left != 0 {
            let at = place + left.trailingZeroBitCount / 8
            if isControl(text, at) {
                return at
            }
            left &= left - 1
        }
        return nil
    }

    /// The highest bits of those of the eight bytes at `place` that are below 0x20 or DEL, and of some above such a byte.
    @inline(__always)
    private static func lowBytes(in text: UnsafeRawBufferPointer, at place: Int) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let word = UInt64(littleEndian: text.loadUnaligned(fromByteOffset: place, as: UInt64.self))
        let low = (word &- 0x20 &* ones) & ~word
        let delete = word ^ (0x7f &* ones)
        return (low | ((delete &- ones) & ~delete)) & (0x80 &* ones)
    }

    private static func isControl(_ text: UnsafeRawBufferPointer, _ at: Int) -> Bool {
        switch text[at] {
        case Byte.tab, Byte.feed: false
        case Byte.carriageReturn: at + 1 == text.count || text[at + 1] != Byte.feed
        case 0..<0x20, 0x7f: true
        default: false
        }
    }
}
