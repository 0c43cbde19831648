// SPDX-License-Identifier: Apache-2.0

/// The part of a journal entry's `__CURSOR` that orders entries: the id of a sequence, and the entry's number in it.
///
/// A cursor is `s=ID;i=NUMBER;…` in hexadecimal (systemd, sd-journal). Entries of one id were numbered by one journald,
/// and rise.
public struct JournalCursor: Hashable, Sendable {
    /// 16 bytes.
    public var sequenceID: [UInt8]
    public var number: UInt64

    /// Parses the value of `__CURSOR`; nil when it does not begin with these two parts.
    public init?(_ text: [UInt8]) {
        let parts = text.split(separator: UInt8(ascii: ";"))
        guard parts.count >= 2, parts[0].starts(with: "s=".utf8), parts[1].starts(with: "i=".utf8),
            let id = Self.identifier(parts[0].dropFirst(2)), let number = Self.number(parts[1].dropFirst(2))
        else {
            return nil
        }
        self.sequenceID = id
        self.number = number
    }

    private static func identifier(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
        guard digits.count == 32 else {
            return nil
        }
        var bytes: [UInt8] = []
        for start in stride(from: digits.startIndex, to: digits.endIndex, by: 2) {
            guard let byte = number(digits[start..<start + 2]) else {
                return nil
            }
            bytes.append(UInt8(byte))
        }
        return bytes
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        let text = String(decoding: digits, as: UTF8.self)
        return (1...16).contains(digits.count) && !text.hasPrefix("+") ? UInt64(text, radix: 16) : nil
    }
}
