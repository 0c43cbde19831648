// SPDX-License-Identifier: Apache-2.0

import LogModel

// RFC 5424: `<PRI>1 TIME HOSTNAME APP-NAME PROCID MSGID SD MSG`, where `-` is an absent value.
extension SyslogMessage {
    /// Parses what follows PRI, at `start`; nil when it is not of that form. The lengths that the RFC allows (section 6)
    /// are not enforced, except for the names of elements.
    init?(structured bytes: UnsafeRawBufferPointer, priority: SyslogPriority, after start: Int) {
        guard bytes[start...].starts(with: "1 ".utf8) else {
            return nil
        }
        var offset = start + 2
        var words: [[UInt8]?] = []
        for _ in 0..<5 {
            guard let space = bytes[offset...].firstIndex(of: UInt8(ascii: " ")), space > offset else {
                return nil
            }
            let isAbsent = bytes[offset..<space].elementsEqual("-".utf8)
            words.append(isAbsent ? nil : Array(bytes[offset..<space]))
            offset = space + 1
        }
        self.init(priority: priority, content: [], headerLength: offset)
        if let text = words[0] {
            guard let nanoseconds = text.withUnsafeBytes({ Timestamp.nanoseconds(rfc3339: $0) }) else {
                return nil
            }
            time = nanoseconds
        }
        (hostname, tag, process, identifier) = (words[1], words[2], words[3], words[4])
        guard let (elements, end) = Self.structuredData(bytes, from: offset) else {
            return nil
        }
        data = elements
        guard end == bytes.count || bytes[end] == UInt8(ascii: " ") else {
            return nil
        }
        content = Array(bytes[min(end + 1, bytes.count)...])
        if content.starts(with: Self.byteOrderMark) {
            content.removeFirst(Self.byteOrderMark.count)
        }
    }

    /// Begins a message in UTF-8 (section 6.4).
    private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]

    /// The RFC allows 32 bytes (section 6.3.2). A field's name repeats them for each parameter.
    private static let identifierLimit = 128

    /// Parses `-` or elements `[ID NAME="VALUE" …]` from `start`; returns them and the end.
    private static func structuredData(
        _ bytes: UnsafeRawBufferPointer,
        from start: Int
    ) -> (elements: [Element], end: Int)? {
        guard start < bytes.count else {
            return nil
        }
        guard bytes[start] != UInt8(ascii: "-") else {
            return ([], start + 1)
        }
        var elements: [Element] = []
        var offset = start
        while offset < bytes.count, bytes[offset] == UInt8(ascii: "[") {
            guard let idEnd = bytes[(offset + 1)...].firstIndex(where: { " ]".utf8.contains($0) }), idEnd > offset + 1,
                idEnd - offset <= identifierLimit
            else {
                return nil
            }
            let identifier = Array(bytes[(offset + 1)..<idEnd])
            offset = idEnd
            while offset < bytes.count, bytes[offset] == UInt8(ascii: " ") {
                guard let (name, value, end) = parameter(bytes, from: offset + 1) else {
                    return nil
                }
                elements.append(Element(identifier: identifier, name: name, value: value))
                offset = end
            }
            guard offset < bytes.count, bytes[offset] == UInt8(ascii: "]") else {
                return nil
            }
            offset += 1
        }
        return offset > start ? (elements, offset) : nil
    }

    /// Parses `NAME="VALUE"`, in which `"`, `\` and `]` are escaped with `\` (section 6.3.3).
    private static func parameter(
        _ bytes: UnsafeRawBufferPointer,
        from start: Int
    ) -> (name: [UInt8], value: [UInt8], end: Int)? {
        guard let equals = bytes[start...].firstIndex(of: UInt8(ascii: "=")), equals > start, equals + 1 < bytes.count,
            bytes[equals + 1] == UInt8(ascii: "\"")
        else {
            return nil
        }
        var value: [UInt8] = []
        var offset = equals + 2
        while offset < bytes.count {
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                return (Array(bytes[start..<equals]), value, offset + 1)
            case UInt8(ascii: "\\") where offset + 1 < bytes.count && "\"\\]".utf8.contains(bytes[offset + 1]):
                value.append(bytes[offset + 1])
                offset += 2
            default:
                value.append(bytes[offset])
                offset += 1
            }
        }
        return nil
    }
}
