// SPDX-License-Identifier: Apache-2.0

/// The part of a journal entry's `__CURSOR` that orders entries: the id of a sequence, and the entry's number in it.
///
/// A cursor is `s=ID;i=NUMBER;b=BOOT;m=TIME;t=TIME;x=HASH` in hexadecimal (systemd, sd-journal). The numbers of one id rise
/// within a boot. After an unclean end journald goes on in the same sequence, with the number after the last one that
/// its disk has: numbers that the lost entries had are given again.
public struct JournalCursor: Hashable, Sendable {
    /// 16 bytes.
    public var sequenceID: [UInt8]
    public var number: UInt64
    /// The id of the boot, 16 bytes; nil when the cursor does not have it.
    public var bootID: [UInt8]?
    /// When the entry was made, in microseconds since the Unix epoch; nil when the cursor does not have it.
    public var time: UInt64?

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
        for part in parts.dropFirst(2) {
            if part.starts(with: "b=".utf8) {
                bootID = Self.identifier(part.dropFirst(2))
            } else if part.starts(with: "t=".utf8) {
                time = Self.number(part.dropFirst(2))
            }
        }
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
