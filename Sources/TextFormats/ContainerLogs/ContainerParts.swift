// SPDX-License-Identifier: Apache-2.0

/// Joins the parts of containers' lines that runtimes divide, for each of the two streams of one log.
///
/// A line is limited to `limit` bytes: what is beyond is dropped, and the line says so. A program that ends leaves its
/// last line without a last part, and the same log may go on with its next run: parts are joined only when no more than
/// `pause` lies between them.
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
        /// Where the last part that was received began.
        public var last: UInt64
        /// The time of that part.
        fileprivate var lastTime: Int64
    }

    private var open: [Joined?] = [nil, nil]
    /// Maximum size of a line, in bytes: half of the largest record, whose other half its escapes may need.
    public static let limit = 2 << 20
    /// The longest time between two parts of one line, in nanoseconds.
    public static let pause: Int64 = 5_000_000_000

    public init() {}

    /// Where the earliest part of an unfinished line begins; nil when there is none.
    public var start: UInt64? { open.compactMap { $0?.start }.min() }

    /// Adds a part that begins at `start`; returns the line that it completes. Lines that it does not belong to any more
    /// are to be taken before (`takeUnfinished`).
    public mutating func add(_ part: ContainerPart, at start: UInt64) -> Joined? {
        let index = part.isError ? 1 : 0
        // Taken, so that its text is not copied when it grows.
        var line =
            open[index].take()
            ?? Joined(
                time: part.time,
                isError: part.isError,
                text: [],
                isTruncated: false,
                isWhole: false,
                start: start,
                last: start,
                lastTime: part.time
            )
        let space = Self.limit - line.text.count
        if space > 0 {
            line.text.append(contentsOf: part.text.prefix(space))
        }
        line.isTruncated = line.isTruncated || part.text.count > space
        line.isWhole = !part.isPartial
        (line.last, line.lastTime) = (start, part.time)
        open[index] = part.isPartial ? line : nil
        return part.isPartial ? nil : line
    }

    /// Takes an unfinished line, that with the earliest last part first: with `time`, one to which a part of that time
    /// does not belong. nil when no such line is left.
    public mutating func takeUnfinished(before time: Int64? = nil) -> Joined? {
        let indexes = open.indices.filter { index in
            guard let line = open[index] else {
                return false
            }
            guard let time else {
                return true
            }
            let (age, isOverflow) = time.subtractingReportingOverflow(line.lastTime)
            return !isOverflow && age > Self.pause
        }
        let first = indexes.min { open[$0]?.last ?? 0 < open[$1]?.last ?? 0 }
        return first.flatMap { open[$0].take() }
    }
}
