// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Recognizes what `text` and `short` write before each line, where a guest has written it and a reader may take it for
/// a real one.
///
/// The text has single spaces for blanks.
enum HeadShape {
    /// Whether `text` is empty, or everything that precedes a line: a time, a prefix, a time and a prefix, or the head
    /// of `short`.
    static func isHead(_ text: ArraySlice<UInt8>) -> Bool {
        guard let last = text.last else {
            return true
        }
        if last == UInt8(ascii: ":") {
            return beginsWithShortTime(text)
        }
        let time = text.prefix { $0 != UInt8(ascii: " ") }
        guard isTime(time) else {
            return isPrefix(text)
        }
        return time.count == text.count || isHead(text[(time.endIndex + 1)...])
    }

    /// `[vm/stream]`.
    private static func isPrefix(_ text: ArraySlice<UInt8>) -> Bool {
        guard text.first == UInt8(ascii: "["), text.last == UInt8(ascii: "]"),
            let slash = text.lastIndex(of: UInt8(ascii: "/"))
        else {
            return false
        }
        return StreamName(String(decoding: text[(slash + 1)...].dropLast(), as: UTF8.self)) != nil
    }

    /// `2026-11-20T17:00:05.000000Z`, or with an offset.
    private static func isTime(_ text: ArraySlice<UInt8>) -> Bool {
        let offset = text.dropFirst(26)
        return matches(text.prefix(26), "dddd-dd-ddTdd:dd:dd.dddddd")
            && (matches(offset, "Z") || matches(offset, "+dd:dd") || matches(offset, "-dd:dd"))
    }

    /// `Nov 20 17:00:05`.
    private static func beginsWithShortTime(_ text: ArraySlice<UInt8>) -> Bool {
        matches(text.prefix(15), "aaa dd dd:dd:dd") || matches(text.prefix(14), "aaa d dd:dd:dd")
    }

    /// Whether `text` matches `shape`: `d` is a digit, `a` a letter, other characters are literal.
    private static func matches(_ text: ArraySlice<UInt8>, _ shape: StaticString) -> Bool {
        text.count == shape.utf8CodeUnitCount
            && zip(text, UnsafeBufferPointer(start: shape.utf8Start, count: shape.utf8CodeUnitCount)).allSatisfy {
                switch $1 {
                case UInt8(ascii: "d"): (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                case UInt8(ascii: "a"): (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20)
                default: $0 == $1
                }
            }
    }
}
