// SPDX-License-Identifier: Apache-2.0

import LogModel

// RFC 3164: `<PRI>Mmm dd hh:mm:ss [HOSTNAME ]TAG[PID]: CONTENT`, where programs on the same host omit the host name.
extension SyslogMessage {
    /// Maximum length of a tag; RFC 3164 allows 32 bytes, programs use more.
    private static let longestTag = 128
    /// Maximum length of a host name (RFC 1035).
    private static let longestHostname = 255

    /// Parses what follows PRI, at `start`. Without a valid time only a tag is looked for there, as programs that omit the
    /// time write it at once.
    init(
        legacy bytes: UnsafeRawBufferPointer,
        priority: SyslogPriority,
        after start: Int,
        received: Timestamp,
        zone: LocalZone,
        localHost: [UInt8]? = nil
    ) {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
        guard let (time, length) = Self.time(of: rest, received: received, zone: zone) else {
            self.init(priority: priority, content: Array(rest), headerLength: start)
            if let tag = Self.tag(of: rest[...]) {
                apply(tag)
                content = Array(rest[tag.end...])
            }
            return
        }
        var content = rest[length...]
        if content.first == UInt8(ascii: " ") {
            content.removeFirst()
        }
        self.init(priority: priority, content: [], headerLength: start + length)
        self.time = time
        let first = content.prefix(Self.longestHostname + 1).prefix { $0 != UInt8(ascii: " ") }
        if !Self.isAddress(first), let tag = Self.tag(of: content) {
            apply(tag)
            content = content[tag.end...]
        } else if let space = content.prefix(Self.longestHostname + 1).firstIndex(of: UInt8(ascii: " ")),
            space > content.startIndex, localHost.map({ Self.isName(content[..<space], of: $0) }) ?? true,
            let tag = Self.tag(of: content[(space + 1)...])
        {
            hostname = Array(content[..<space])
            apply(tag)
            content = content[tag.end...]
        }
        self.content = Array(content)
    }

    /// The time at the beginning, in nanoseconds since the Unix epoch, with its length: RFC 3164's form, or RFC 3339's,
    /// which rsyslog and syslog-ng can write instead.
    private static func time(
        of bytes: UnsafeRawBufferPointer,
        received: Timestamp,
        zone: LocalZone
    ) -> (nanoseconds: Int64, length: Int)? {
        if let (time, length) = YearlessTime.parse(bytes) {
            let (nanoseconds, end) = fraction(of: bytes, from: length)
            if let (written, yearEnd) = year(of: bytes, from: end), let moment = time.moment(in: written, zone: zone) {
                return (moment.microseconds * 1000 + nanoseconds, yearEnd)
            }
            // A day that no near year has is content, like any time that is not one.
            return time.moment(near: received, zone: zone).map { ($0.microseconds * 1000 + nanoseconds, end) }
        }
        guard let space = bytes.prefix(40).firstIndex(of: UInt8(ascii: " ")) else {
            return nil
        }
        let word = UnsafeRawBufferPointer(rebasing: bytes[..<space])
        return WrittenTimestamp.nanoseconds(word, zone: zone).map { ($0, space) }
    }

    /// The decimals of a second at `start`, in nanoseconds, and their end: some daemons write them.
    private static func fraction(of bytes: UnsafeRawBufferPointer, from start: Int) -> (nanoseconds: Int64, end: Int) {
        guard start < bytes.count, bytes[start] == UInt8(ascii: ".") else {
            return (0, start)
        }
        let digits = bytes[(start + 1)...].prefix(9).prefix(while: \.isDecimalDigit)
        guard !digits.isEmpty, digits.endIndex == bytes.count || bytes[digits.endIndex] == UInt8(ascii: " ") else {
            return (0, start)
        }
        let value = digits.reduce(Int64(0)) { $0 * 10 + Int64($1 - 0x30) }
        return ((digits.count..<9).reduce(value) { number, _ in number * 10 }, digits.endIndex)
    }

    /// The year that some senders write after the time, from `start` on, and its end; nil when there is none. A number
    /// that no tag follows is content.
    private static func year(of bytes: UnsafeRawBufferPointer, from start: Int) -> (year: Int, end: Int)? {
        let end = start + 5
        guard bytes.count > end + 1, bytes[start] == UInt8(ascii: " "), bytes[end] == UInt8(ascii: " "),
            let year = ASCIIDigits.value(of: bytes[(start + 1)..<end]), (1970...2099).contains(year)
        else {
            return nil
        }
        let rest = bytes[(end + 1)...]
        let second = rest.prefix(longestHostname + 1).firstIndex(of: UInt8(ascii: " ")).map { rest[($0 + 1)...] }
        return tag(of: rest) != nil || second.flatMap { tag(of: $0) } != nil ? (year, end) : nil
    }

    /// Whether `word` is `host`, with or without its domain.
    private static func isName(_ word: Slice<UnsafeRawBufferPointer>, of host: [UInt8]) -> Bool {
        let dot = UInt8(ascii: ".")
        return word.prefix { $0 != dot }.elementsEqual(host.prefix { $0 != dot })
    }

    private static let addressBytes = Set("0123456789abcdefABCDEF:.".utf8)

    /// Whether a word is an IPv6 address, which could be taken for a tag.
    private static func isAddress(_ word: Slice<UnsafeRawBufferPointer>) -> Bool {
        word.count { $0 == UInt8(ascii: ":") } >= 2 && word.allSatisfy { addressBytes.contains($0) }
    }

    private struct Tag {
        var name: [UInt8]
        var process: [UInt8]?
        /// Where the content begins.
        var end: Int
    }

    private mutating func apply(_ found: Tag) {
        (tag, process) = (found.name, found.process)
    }

    /// `NAME:` or `NAME[PROCESS]:` at the beginning, without spaces and control characters in the name, which can be in
    /// any script; nil when there is none.
    private static func tag(of bytes: Slice<UnsafeRawBufferPointer>) -> Tag? {
        let head = bytes.prefix(longestTag)
        let isNamePart = { (byte: UInt8) in byte > 0x20 && byte != 0x7f && !":[".utf8.contains(byte) }
        guard let nameEnd = head.firstIndex(where: { !isNamePart($0) }), nameEnd > head.startIndex else {
            return nil
        }
        var tag = Tag(name: Array(head[..<nameEnd]), end: nameEnd)
        if head[nameEnd] == UInt8(ascii: "[") {
            guard let close = head[nameEnd...].firstIndex(of: UInt8(ascii: "]")), close > nameEnd + 1 else {
                return nil
            }
            tag.process = Array(head[(nameEnd + 1)..<close])
            tag.end = close + 1
        }
        guard tag.end < bytes.endIndex, bytes[tag.end] == UInt8(ascii: ":") else {
            return nil
        }
        tag.end += 1
        if tag.end < bytes.endIndex, bytes[tag.end] == UInt8(ascii: " ") {
            tag.end += 1
        }
        return tag
    }
}
