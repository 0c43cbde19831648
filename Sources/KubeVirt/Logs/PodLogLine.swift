// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// A line of a container's log, as the Kubernetes API returns it with `timestamps=true`: the time at which the container
/// printed it (RFC 3339, with an offset), a space, and the text.
public struct PodLogLine: Hashable, Sendable {
    public let time: Timestamp
    /// The text, with its LF if it has one.
    public let text: [UInt8]

    public init(time: Timestamp, text: [UInt8]) {
        self.time = time
        self.text = text
    }

    /// Parses `line`; nil when it does not begin with a time. A line without text has no space behind the time in some
    /// versions.
    public init?(_ line: some Collection<UInt8>) {
        let stamp = line.prefix { $0 != UInt8(ascii: " ") && $0 != Lines.feed }
        guard stamp.count <= Self.longestStamp, let time = Self.time(Array(stamp)) else {
            return nil
        }
        let rest = line.dropFirst(stamp.count)
        self.time = time
        text = Array(rest.first == UInt8(ascii: " ") ? rest.dropFirst() : rest)
    }

    /// `2026-11-20T17:00:00.123456789+02:00`.
    private static let longestStamp = 35

    private static func time(_ stamp: [UInt8]) -> Timestamp? {
        stamp.withUnsafeBytes { Timestamp.nanoseconds(rfc3339: $0) }.map { Timestamp(microseconds: $0 / 1000) }
    }
}
