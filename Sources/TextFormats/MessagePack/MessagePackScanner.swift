// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Finds where values of MessagePack end in a stream that arrives in pieces: each byte is looked at once, whatever the
/// pieces are.
public struct MessagePackScanner: Sendable {
    /// The bytes are not MessagePack.
    public struct Malformed: Error, Hashable {}

    /// The number of values that are still to come, until the outermost is complete.
    private var pending = 1
    /// Bytes that belong to the last scalar.
    private var skipped = 0
    /// The number of bytes that were looked at.
    private var offset = 0

    /// A scanner at the beginning of a value.
    public init() {}

    /// The size of the value at the beginning of `bytes`, which are those of the last call and more; nil when it is not
    /// complete. When it is, the next call's bytes begin after it.
    ///
    /// Throws `Malformed`; also when the value has more members than `limit` bytes could have.
    public mutating func size(in bytes: ArraySlice<UInt8>, limit: Int) throws(Malformed) -> Int? {
        while true {
            let count = min(skipped, bytes.count - offset)
            skipped -= count
            offset += count
            guard skipped == 0 else {
                return nil
            }
            if pending == 0 {
                defer { self = MessagePackScanner() }
                return offset
            }
            guard let head = try Self.head(bytes.dropFirst(offset)) else {
                return nil
            }
            offset += head.size
            skipped = head.skip
            pending += head.values - 1
            guard pending <= limit, skipped <= limit else {
                throw Malformed()
            }
        }
    }

    /// The first bytes of a value: how many they are, how many bytes and how many values follow; nil when they are not all
    /// there.
    private static func head(_ bytes: ArraySlice<UInt8>) throws(Malformed) -> (size: Int, skip: Int, values: Int)? {
        guard let form = bytes.first else {
            return nil
        }
        /// The number in the `count` bytes after the first.
        func number(_ count: Int) -> Int? {
            let digits = bytes.dropFirst().prefix(count)
            return digits.count == count ? Int(digits.bigEndian) : nil
        }
        switch form {
        case 0x00...0x7f, 0xe0...0xff, 0xc0, 0xc2, 0xc3: return (1, 0, 0)
        case 0x80...0x8f: return (1, 0, Int(form & 15) * 2)
        case 0x90...0x9f: return (1, 0, Int(form & 15))
        case 0xa0...0xbf: return (1, Int(form & 31), 0)
        case 0xc4...0xc6: return number(1 << Int(form - 0xc4)).map { (1 + 1 << Int(form - 0xc4), $0, 0) }
        case 0xc7...0xc9: return number(1 << Int(form - 0xc7)).map { (1 + 1 << Int(form - 0xc7), $0 + 1, 0) }
        case 0xca, 0xce, 0xd2: return (1, 4, 0)
        case 0xcb, 0xcf, 0xd3: return (1, 8, 0)
        case 0xcc, 0xd0: return (1, 1, 0)
        case 0xcd, 0xd1: return (1, 2, 0)
        case 0xd4...0xd8: return (1, 1 + 1 << Int(form - 0xd4), 0)
        case 0xd9...0xdb: return number(1 << Int(form - 0xd9)).map { (1 + 1 << Int(form - 0xd9), $0, 0) }
        case 0xdc, 0xdd: return number(2 << Int(form - 0xdc)).map { (1 + 2 << Int(form - 0xdc), 0, $0) }
        case 0xde, 0xdf: return number(2 << Int(form - 0xde)).map { (1 + 2 << Int(form - 0xde), 0, $0 * 2) }
        default: throw Malformed()
        }
    }
}
