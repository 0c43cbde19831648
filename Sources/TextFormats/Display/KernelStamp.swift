// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The kernel's time stamp (`print_time` in kernel/printk/printk.c): `[`, seconds in at least five columns, `.`, six
/// digits, `]`, then a space or `[`, which begins the caller that CONFIG_PRINTK_CALLER adds. NetBSD's has seven digits, and
/// four columns or more before the point.
public enum KernelStamp {
    public enum Match: Equatable {
        /// A stamp, and the offset after its bracket.
        case stamp(end: Int)
        case none
        /// The bytes end before it is certain.
        case incomplete
    }

    /// Whether a stamp, or `<N>` and a stamp, begins at `start`, where `[` or `<` is.
    public static func match(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Match {
        // Nearly all brackets are decided by the next byte.
        if start + 1 < bytes.count, bytes[start + 1] != UInt8(ascii: " "), !bytes[start + 1].isDecimalDigit {
            return .none
        }
        // A program's number in brackets has less than the columns of seconds.
        if bytes[start] == UInt8(ascii: "["), start + 4 < bytes.count, bytes[start + 4] != UInt8(ascii: " "),
            !bytes[start + 4].isDecimalDigit
        {
            return .none
        }
        var offset = start
        if bytes[offset] == UInt8(ascii: "<") {
            let digits = digits(bytes, from: offset + 1, most: 3)
            guard digits > 0 || offset + 1 >= bytes.count else {
                return .none
            }
            offset += 1 + digits
            guard offset < bytes.count else {
                return .incomplete
            }
            guard bytes[offset] == UInt8(ascii: ">") else {
                return .none
            }
            offset += 1
        }
        guard offset < bytes.count else {
            return .incomplete
        }
        guard bytes[offset] == UInt8(ascii: "[") else {
            return .none
        }
        return matchBracket(bytes, at: offset)
    }

    /// More bytes than a stamp has, with `<N>` and the blank after it.
    static let longest = 32

    /// Where the first stamp in `bytes` begins.
    public static func first(in bytes: UnsafeRawBufferPointer) -> Int? {
        var start = 0
        while start < bytes.count, let offset = bytes.firstOffset(of: UInt8(ascii: "["), from: start) {
            if case .stamp = match(bytes, at: offset) {
                return offset
            }
            start = offset + 1
        }
        return nil
    }

    private static func matchBracket(_ bytes: UnsafeRawBufferPointer, at bracket: Int) -> Match {
        var offset = bracket + 1
        while offset < bytes.count, offset - bracket <= 5, bytes[offset] == UInt8(ascii: " ") {
            offset += 1
        }
        offset += digits(bytes, from: offset, most: 10)
        guard offset < bytes.count else {
            return .incomplete
        }
        let columns = offset - bracket - 1
        guard columns >= 4, bytes[offset] == UInt8(ascii: "."), offset > bracket + 1,
            bytes[offset - 1] != UInt8(ascii: " ")
        else {
            return .none
        }
        let fraction = digits(bytes, from: offset + 1, most: 7)
        offset += 1 + fraction
        guard offset < bytes.count else {
            return .incomplete
        }
        guard fraction == 6 && columns >= 5 || fraction == 7, bytes[offset] == UInt8(ascii: "]") else {
            return .none
        }
        let end = offset + 1
        guard end < bytes.count else {
            return .incomplete
        }
        return bytes[end] == UInt8(ascii: " ") || bytes[end] == UInt8(ascii: "[") ? .stamp(end: end) : .none
    }

    private static func digits(_ bytes: UnsafeRawBufferPointer, from start: Int, most: Int) -> Int {
        var offset = start
        while offset < bytes.count, offset - start < most, bytes[offset].isDecimalDigit {
            offset += 1
        }
        return offset - start
    }
}
