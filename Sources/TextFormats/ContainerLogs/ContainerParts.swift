// SPDX-License-Identifier: Apache-2.0

/// Joins the parts of containers' lines that runtimes divide, for each of the two streams of one log.
///
/// A line is limited to `limit` bytes: what is beyond is dropped, and the line says so.
public struct ContainerParts: Sendable {
    /// A whole line.
    public struct Joined: Equatable, Sendable {
        /// The time of its first part, in nanoseconds since the Unix epoch.
        public var time: Int64
        public var isError: Bool
        public var text: [UInt8]
        /// Whether some of the text was dropped.
        public var isTruncated: Bool
        /// Whether its last part was received.
        public var isWhole: Bool
        /// Where its first part began in the log.
        public var start: UInt64
    }

    private var open: [Joined?] = [nil, nil]
    /// Maximum size of a line, in bytes: half of the largest record, whose other half its escapes may need.
    public static let limit = 2 << 20

    public init() {}

    /// Where the earliest part of an unfinished line begins; nil when there is none.
    public var start: UInt64? { open.compactMap { $0?.start }.min() }

    /// Adds a part that begins at `start`; returns the line that it completes.
    public mutating func add(
        _ text: some Collection<UInt8>,
        time: Int64,
        isError: Bool,
        isPartial: Bool,
        at start: UInt64
    ) -> Joined? {
        let index = isError ? 1 : 0
        // Taken, so that its text is not copied when it grows.
        var line =
            open[index].take()
            ?? Joined(time: time, isError: isError, text: [], isTruncated: false, isWhole: false, start: start)
        let space = Self.limit - line.text.count
        if space > 0 {
            line.text.append(contentsOf: text.prefix(space))
        }
        line.isTruncated = line.isTruncated || text.count > space
        line.isWhole = !isPartial
        open[index] = isPartial ? line : nil
        return isPartial ? nil : line
    }

    /// The unfinished lines, at the end of the log; in the order in which they began.
    public mutating func finish() -> [Joined] {
        defer { open = [nil, nil] }
        return open.compactMap { $0 }.sorted { $0.start < $1.start }
    }
}
