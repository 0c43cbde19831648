// SPDX-License-Identifier: Apache-2.0

/// Cuts the messages of syslog over TCP off its bytes (RFC 6587), in pieces of any size and limited memory.
public struct SyslogFrames: Sendable {
    /// How the end of a message is known.
    public enum Framing: Hashable, Sendable {
        /// Its length precedes it (section 3.4.1).
        case octetCounting
        /// A line feed, or NUL, follows it (section 3.4.2).
        case lines
    }

    /// A message.
    public struct Frame: Hashable, Sendable {
        public var bytes: ArraySlice<UInt8>
        /// Whether its end is missing.
        public var isTruncated: Bool
    }

    private let framing: Framing
    private var buffer: [UInt8] = []
    private var start = 0
    /// Where the search for a line's end continues.
    private var searched = 0
    /// The bytes to skip, of a message that was cut.
    private var skipped = 0
    /// Whether the rest of a line is to be skipped.
    private var isSkippingLine = false

    /// Maximum size of a message; a longer one is cut there.
    public static let limit = 64 << 10
    /// Maximum number of digits of a length.
    private static let longestLength = 9

    public init(_ framing: Framing) {
        self.framing = framing
    }

    /// The memory of what was not returned yet, in bytes.
    public var memory: Int { buffer.count }

    /// Adds bytes of the stream.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        buffer.removeFirst(start)
        searched = max(0, searched - start)
        start = 0
        buffer.append(contentsOf: bytes)
    }

    /// The next message; nil when more bytes are needed. Throws when a length is none.
    public mutating func next() throws(SyslogFrameFault) -> Frame? {
        switch framing {
        case .octetCounting: try nextCounted()
        case .lines: nextLine()
        }
    }

    /// The stream has ended. Returns what it ended in.
    public mutating func finish() -> Frame? {
        defer { self = SyslogFrames(framing) }
        guard skipped == 0, !isSkippingLine, start < buffer.count else {
            return nil
        }
        switch framing {
        case .lines:
            return Frame(bytes: buffer[start...], isTruncated: false)
        case .octetCounting:
            let rest = buffer[start...].drop { $0 != UInt8(ascii: " ") }.dropFirst()
            return rest.isEmpty ? nil : Frame(bytes: rest, isTruncated: true)
        }
    }

    private mutating func nextCounted() throws(SyslogFrameFault) -> Frame? {
        while true {
            let passed = min(skipped, buffer.count - start)
            start += passed
            skipped -= passed
            let head = buffer[start...].prefix(Self.longestLength + 1)
            guard let space = head.firstIndex(of: UInt8(ascii: " ")) else {
                guard head.count <= Self.longestLength, head.isEmpty || ASCIIDigits.value(of: head) != nil else {
                    throw SyslogFrameFault()
                }
                return nil
            }
            guard let length = ASCIIDigits.value(of: head[..<space]) else {
                throw SyslogFrameFault()
            }
            let kept = min(length, Self.limit)
            let first = space + 1
            guard buffer.count - first >= kept else {
                return nil
            }
            start = first + kept
            skipped = length - kept
            if kept > 0 {
                return Frame(bytes: buffer[first..<start], isTruncated: skipped > 0)
            }
        }
    }

    private mutating func nextLine() -> Frame? {
        while true {
            guard let end = buffer[max(start, searched)...].firstIndex(where: { $0 == 0x0a || $0 == 0 }) else {
                searched = buffer.count
                if isSkippingLine {
                    start = buffer.count
                }
                guard buffer.count - start >= Self.limit else {
                    return nil
                }
                isSkippingLine = true
                defer { start = buffer.count }
                return Frame(bytes: buffer[start..<(start + Self.limit)], isTruncated: true)
            }
            var line = buffer[start..<end]
            start = end + 1
            guard !isSkippingLine else {
                isSkippingLine = false
                continue
            }
            if line.last == 0x0d {
                line.removeLast()
            }
            if !line.isEmpty {
                return Frame(bytes: line.prefix(Self.limit), isTruncated: line.count > Self.limit)
            }
        }
    }
}

/// What follows a message of syslog with octet counting is no length.
public struct SyslogFrameFault: Error, Hashable, CustomStringConvertible {
    public var description: String {
        "a syslog message does not begin with its length, as the first one did (RFC 6587)"
    }
}
