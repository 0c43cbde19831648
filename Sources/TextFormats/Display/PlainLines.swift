// SPDX-License-Identifier: Apache-2.0

import CBytes

#if canImport(Glibc)
    import Glibc
#endif

/// Tells which lines of a text a terminal shows as they are stored: nearly all of them.
///
/// Remembers the next offset that needs a closer look, so that a text is searched once, however many lines it has.
public struct PlainLines {
    /// No control byte is in the text between the last asked offset and this one.
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

    /// Whether a stamp may begin at `offset`.
    func hasStamp(at offset: Int, in text: UnsafeRawBufferPointer) -> Bool {
        offset < text.count && (text[offset] == UInt8(ascii: "[") || text[offset] == UInt8(ascii: "<"))
            && KernelStamp.match(text, at: offset) != .none
    }

    private static func firstStamp(in text: UnsafeRawBufferPointer, from start: Int) -> Int {
        guard let base = text.baseAddress else {
            return .max
        }
        var next = start
        while next < text.count, let hit = memchr(base + next, Int32(UInt8(ascii: "[")), text.count - next) {
            let offset = UnsafeRawPointer(hit) - base
            // Most stamps begin a line.
            if text[max(offset - 1, 0)] != Byte.feed, KernelStamp.match(text, at: offset) != .none {
                return offset
            }
            next = offset + 1
        }
        return .max
    }

    /// The first control byte at or after `start`; the end of the text when there is none.
    static func firstControl(in text: UnsafeRawBufferPointer, from start: Int) -> Int {
        text.baseAddress.map { start + gl_first_control($0 + start, text.count - start) } ?? 0
    }
}
