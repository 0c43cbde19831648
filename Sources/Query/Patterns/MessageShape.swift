// SPDX-License-Identifier: Apache-2.0

import LogModel

/// A message divided into tokens, with what varies from one to the next replaced by a mask: numbers, addresses,
/// identifiers, times, quoted texts and paths.
struct MessageShape {
    /// At most this many tokens are compared; the rest of a longer message is one mask.
    static let tokenLimit = 40
    /// At most this many bytes of a message are read.
    static let sizeLimit = 2048

    /// What a mask is written as.
    static let mask = Array("<*>".utf8)

    private(set) var tokens: [[UInt8]] = []

    init(_ message: UnsafeRawBufferPointer) {
        var offset = 0
        let end = min(message.count, Self.sizeLimit)
        offset = Self.skipStamp(message, end)
        while offset < end, tokens.count < Self.tokenLimit {
            while offset < end, message[offset] <= 0x20 {
                offset += 1
            }
            let start = offset
            if offset < end, message[offset] == UInt8(ascii: "\""),
                let close = Self.close(message, from: offset + 1, end)
            {
                offset = close + 1
                tokens.append(Self.mask)
                continue
            }
            while offset < end, message[offset] > 0x20 {
                offset += 1
            }
            if offset > start {
                append(UnsafeRawBufferPointer(rebasing: message[start..<offset]))
            }
        }
        if offset < message.count, tokens.count == Self.tokenLimit {
            appendMask()
        }
    }

    /// A kernel's time stamp at the beginning is no part of the message.
    private static func skipStamp(_ message: UnsafeRawBufferPointer, _ end: Int) -> Int {
        guard end > 0, message[0] == UInt8(ascii: "["), let close = message[..<min(end, 24)].firstIndex(of: 0x5d),
            message[1..<close].allSatisfy({ $0.isDecimalDigit || $0 == 0x20 || $0 == UInt8(ascii: ".") })
        else {
            return 0
        }
        return close + 1
    }

    private static func close(_ message: UnsafeRawBufferPointer, from start: Int, _ end: Int) -> Int? {
        message[min(start, end)..<end].firstIndex(of: UInt8(ascii: "\""))
    }

    /// Adds a token: `key=value` keeps its key; signs around a value stay.
    private mutating func append(_ token: UnsafeRawBufferPointer) {
        if let sign = token.firstIndex(of: UInt8(ascii: "=")), sign > 0, sign < 64 {
            let value = UnsafeRawBufferPointer(rebasing: token[(sign + 1)...])
            let masked = value.isEmpty ? [] : Self.mask
            tokens.append(token[...sign] + masked)
            return
        }
        var first = 0
        var last = token.count
        while first < last, Self.isSign(token[first]) {
            first += 1
        }
        while last > first, Self.isSign(token[last - 1]) {
            last -= 1
        }
        let word = UnsafeRawBufferPointer(rebasing: token[first..<last])
        guard Self.varies(word) else {
            tokens.append(Array(token))
            return
        }
        // A list of values is one value.
        if first == 0, last == token.count, tokens.last == Self.mask {
            return
        }
        tokens.append(token[..<first] + Self.mask + token[last...])
    }

    private mutating func appendMask() {
        if tokens.last != Self.mask {
            tokens.append(Self.mask)
        }
    }

    /// Whether a word stands for a value: it has a digit, is a path or an address.
    private static func varies(_ word: UnsafeRawBufferPointer) -> Bool {
        guard let first = word.first else {
            return false
        }
        return first == UInt8(ascii: "/") && word.count > 1 || word.contains(where: \.isDecimalDigit)
    }

    private static func isSign(_ byte: UInt8) -> Bool { "[](){}<>,;:.'\"!?".utf8.contains(byte) }
}
