// SPDX-License-Identifier: Apache-2.0

import LogModel

/// A record of /dev/kmsg (Linux, Documentation/ABI/testing/dev-kmsg):
/// `PRIORITY,SEQUENCE,MICROSECONDS,FLAGS[,…];TEXT` and lines ` KEY=VALUE`.
public struct KernelMessage: Equatable, Sendable {
    /// The kernel's own messages have facility 0. Processes that write to /dev/kmsg cannot choose it.
    public var priority: SyslogPriority
    /// The number of the record since boot, from 0. A number that is missing was overwritten before it was read.
    public var sequence: UInt64
    /// When it was logged, in microseconds on the kernel's monotonic clock.
    public var microseconds: UInt64
    /// Whether it is a part of a line (flag `c`). The kernel does not promise that the next record is the rest, so parts
    /// are not joined.
    public var isFragment: Bool
    /// The thread or processor that logged it, as `T1` or `C0`, where the kernel was built to report it.
    public var caller: [UInt8]?
    /// The text, with `\xNN` decoded.
    public var text: [UInt8]
    /// The record's dictionary, such as `SUBSYSTEM` and `DEVICE`.
    public var attributes: [Attribute]

    public struct Attribute: Equatable, Sendable {
        public var key: [UInt8]
        public var value: [UInt8]
    }

    /// Maximum size of a record: a smaller buffer would lose it (CONSOLE_EXT_LOG_MAX).
    public static let longest = 8192

    /// Parses one record; nil when `bytes` is not one.
    public init?(parsing bytes: UnsafeRawBufferPointer) {
        guard let semicolon = bytes.firstIndex(of: UInt8(ascii: ";")) else {
            return nil
        }
        let prefix = bytes[..<semicolon].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard prefix.count >= 3, let priority = ASCIIDigits.value(of: prefix[0]),
            let number = UInt16(exactly: priority), let sequence = UInt64(decimal: prefix[1]),
            let microseconds = UInt64(decimal: prefix[2]), number <= 2047
        else {
            return nil
        }
        self.priority = SyslogPriority(number)
        self.sequence = sequence
        self.microseconds = microseconds
        isFragment = prefix.count > 3 && prefix[3].contains(UInt8(ascii: "c"))
        let callerStart = Array("caller=".utf8)
        caller = prefix.dropFirst(4).first { $0.starts(with: callerStart) }.map {
            Array($0.dropFirst(callerStart.count))
        }
        let lines = bytes[(semicolon + 1)...].split(separator: 0x0a, omittingEmptySubsequences: false)
        text = Self.decoded(lines.first ?? bytes[bytes.endIndex...])
        attributes = lines.dropFirst().compactMap(Self.attribute)
    }

    private static func attribute(_ line: Slice<UnsafeRawBufferPointer>) -> Attribute? {
        guard line.first == UInt8(ascii: " "), let equals = line.firstIndex(of: UInt8(ascii: "=")),
            equals > line.startIndex + 1
        else {
            return nil
        }
        return Attribute(
            key: decoded(line[(line.startIndex + 1)..<equals]),
            value: decoded(line[(equals + 1)...])
        )
    }

    /// Decodes `\xNN`, as which the kernel writes unprintable bytes and the backslash.
    private static func decoded(_ text: Slice<UnsafeRawBufferPointer>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var offset = text.startIndex
        while offset < text.endIndex {
            if text[offset] == UInt8(ascii: "\\"), offset + 3 < text.endIndex, text[offset + 1] == UInt8(ascii: "x"),
                let high = text[offset + 2].hexadecimalValue, let low = text[offset + 3].hexadecimalValue
            {
                out.append(high << 4 | low)
                offset += 4
            } else {
                out.append(text[offset])
                offset += 1
            }
        }
        return out
    }
}

extension UInt64 {
    /// The number that all of `digits` are, to its full range.
    fileprivate init?(decimal digits: Slice<UnsafeRawBufferPointer>) {
        guard (1...20).contains(digits.count) else {
            return nil
        }
        var value: UInt64 = 0
        for digit in digits {
            guard digit.isDecimalDigit else {
                return nil
            }
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = scaled.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
            guard !overflow, !carry else {
                return nil
            }
            value = sum
        }
        self = value
    }
}
