// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// A syslog message, as RFC 3164 or RFC 5424 describes it.
///
/// Any bytes are a message: what cannot be parsed is content. A message without PRI has the severity `notice` and the
/// facility 1 (user), as RFC 3164 (section 4.3.3) prescribes.
public struct SyslogMessage: Equatable, Sendable {
    public var priority: SyslogPriority
    /// The message's own time, in nanoseconds since the Unix epoch; nil when it has none that is valid.
    public var time: Int64?
    public var hostname: [UInt8]?
    /// The program: RFC 3164's TAG, RFC 5424's APP-NAME.
    public var tag: [UInt8]?
    /// The number of the process, or RFC 5424's PROCID.
    public var process: [UInt8]?
    /// RFC 5424's MSGID.
    public var identifier: [UInt8]?
    /// RFC 5424's structured data, in order.
    public var data: [Element] = []
    /// The text, without a final line feed or NUL.
    public var content: [UInt8]
    /// Where in the datagram the part after PRI and time begins.
    var headerLength: Int

    /// A parameter of a structured data element (RFC 5424, section 6.3).
    public struct Element: Equatable, Sendable {
        /// The element's SD-ID.
        public var identifier: [UInt8]
        public var name: [UInt8]
        /// The value, without the escapes.
        public var value: [UInt8]
    }

    static let withoutPriority = SyslogPriority(facility: 1, severity: .notice)

    /// Parses a message received at `received` from a host whose clock is in `zone`. nil when there is nothing but PRI
    /// and time.
    ///
    /// `localHost` is the name of this host, for a message of a program on it: such programs omit the host name, so no
    /// other word is taken for one.
    public init?(
        parsing bytes: UnsafeRawBufferPointer,
        received: Timestamp,
        zone: LocalZone,
        localHost: [UInt8]? = nil
    ) {
        let bytes = UnsafeRawBufferPointer(rebasing: bytes[..<Self.end(of: bytes)])
        guard let (priority, length) = SyslogPriority.parse(bytes) else {
            self.init(priority: Self.withoutPriority, content: Array(bytes), headerLength: 0)
            guard !bytes.isEmpty else {
                return nil
            }
            return
        }
        if let message = SyslogMessage(structured: bytes, priority: priority, after: length) {
            self = message
        } else {
            self.init(
                legacy: bytes,
                priority: priority,
                after: length,
                received: received,
                zone: zone,
                localHost: localHost
            )
        }
        // MSG is optional (RFC 5424, section 6), and MSGID can be all that a program says.
        guard !content.isEmpty || !data.isEmpty || tag != nil || identifier != nil else {
            return nil
        }
    }

    /// Parses a line of a file that a syslog daemon writes: like a datagram, but usually without PRI. `now` decides the
    /// year of a time that has none. nil for a line of spaces.
    public init?(line: UnsafeRawBufferPointer, now: Timestamp, zone: LocalZone) {
        let line = UnsafeRawBufferPointer(rebasing: line[..<Self.end(of: line)])
        if SyslogPriority.parse(line) != nil {
            self.init(parsing: line, received: now, zone: zone)
            return
        }
        self.init(legacy: line, priority: Self.withoutPriority, after: 0, received: now, zone: zone)
        guard content.contains(where: { $0 > 0x20 }) else {
            return nil
        }
    }

    init(priority: SyslogPriority, content: [UInt8], headerLength: Int) {
        self.priority = priority
        self.content = content
        self.headerLength = headerLength
    }

    /// The length without line feeds and NULs at the end, which some senders add.
    private static func end(of bytes: UnsafeRawBufferPointer) -> Int {
        (bytes.lastIndex { $0 != 0 && $0 != Lines.feed } ?? -1) + 1
    }
}
