// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// The PRI part of a syslog message (RFC 3164, section 4.1.1; RFC 5424, section 6.2.1): facility × 8 + severity.
public struct SyslogPriority: Hashable, Sendable {
    /// The number as written. RFC 3164 ends at 191; a sender can write up to 999.
    public var value: UInt16

    public init(_ value: UInt16) {
        self.value = value
    }

    public init(facility: UInt8, severity: Severity) {
        value = UInt16(facility) << 3 | UInt16(severity.rawValue)
    }

    public var severity: Severity { Severity(rawValue: UInt8(value & 7)) ?? .debug }

    /// 0 (kernel) to 23 (local7); more in messages that follow no RFC.
    public var facility: UInt8 { UInt8(value >> 3) }

    /// Parses `<n>` at the beginning of `bytes`, at most five bytes long; returns the priority and its length.
    static func parse(_ bytes: UnsafeRawBufferPointer) -> (priority: SyslogPriority, length: Int)? {
        guard bytes.first == UInt8(ascii: "<"),
            let close = bytes.prefix(longest).firstIndex(of: UInt8(ascii: ">")),
            let value = ASCIIDigits.value(of: bytes[1..<close])
        else {
            return nil
        }
        return (SyslogPriority(UInt16(value)), close + 1)
    }

    private static let longest = 5
}

/// Decimal numbers in ASCII.
enum ASCIIDigits {
    /// The number that all of `bytes` are the digits of, at most 18; nil when there is another byte, or none.
    static func value(of bytes: some Collection<UInt8>) -> Int? {
        guard (1...18).contains(bytes.count) else {
            return nil
        }
        var value = 0
        for byte in bytes {
            guard byte.isDecimalDigit else {
                return nil
            }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return value
    }
}
