// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import TextFormats

extension GuestRecord {
    /// The record of a syslog message received at `received`, whose end is missing if `isTruncated`.
    public init(_ message: SyslogMessage, received: Timestamp, isTruncated: Bool) {
        self.init(
            severity: message.priority.severity,
            time: message.time ?? received.microseconds * 1000,
            content: message.content,
            source: .syslog,
            facility: message.priority.facility
        )
        hostname = message.hostname ?? []
        tag = message.tag ?? []
        process = message.process ?? []
        messageID = message.identifier ?? []
        self.isTruncated = isTruncated
        fields = message.data.prefix(Self.fieldLimit).map { element in
            Field(element.identifier + [UInt8(ascii: ".")] + element.name, element.value)
        }
    }
}
