// SPDX-License-Identifier: Apache-2.0

/// Percent-encoding (RFC 3986, section 2.1), with the set of bytes that stand for themselves.
public struct PercentEncoding: Sendable {
    private let isUnreserved: @Sendable (UInt8) -> Bool

    /// The bytes that a component of a URI may contain (RFC 3986, section 2.3): `[A-Za-z0-9._~-]`.
    public static let uri = PercentEncoding { isAlphanumeric($0) || "-._~".utf8.contains($0) }
    /// The bytes that a folder's name contains: `[A-Za-z0-9_-]`.
    public static let folder = PercentEncoding { isAlphanumeric($0) || "-_".utf8.contains($0) }

    private init(_ isUnreserved: @escaping @Sendable (UInt8) -> Bool) {
        self.isUnreserved = isUnreserved
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    /// `text` with every other byte of its UTF-8 as `%XX`, with upper-case digits.
    public func encode(_ text: String) -> String {
        var encoded: [UInt8] = []
        encoded.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if isUnreserved(byte) {
                encoded.append(byte)
            } else {
                encoded.append(UInt8(ascii: "%"))
                encoded.append(UInt8.digit(byte >> 4, from: UInt8(ascii: "A")))
                encoded.append(UInt8.digit(byte & 15, from: UInt8(ascii: "A")))
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }

    /// Whether `text` consists of bytes that stand for themselves, and of `%`.
    func isEncoded(_ text: some StringProtocol) -> Bool {
        text.utf8.allSatisfy { isUnreserved($0) || $0 == UInt8(ascii: "%") }
    }

    /// The bytes that `text` encodes; nil when a `%` is not followed by two hexadecimal digits.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.next(), let low = rest.next(), let value = UInt8(hexadecimalDigits: high, low) else {
                return nil
            }
            bytes.append(value)
        }
        return bytes
    }
}
