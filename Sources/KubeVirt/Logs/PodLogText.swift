// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// Makes one log of the responses that a container's log was read in, although they overlap: each line once, in order.
///
/// The API can resume a log at a time only, in whole seconds. So the lines of the last second are returned again, and
/// are recognized by their time and text, in their order: a line that the guest printed twice stays twice. Of a line at
/// which a response was cut off, the next response has all.
public struct PodLogText: Sendable {
    /// What was received of a line without its LF.
    private var open: [UInt8] = []
    /// The time of the line being received, when a piece of it was returned already.
    private var openTime: Timestamp?
    /// The lines of the last second received, and pieces of lines.
    private var recent: [PodLogLine] = []
    /// While lines are expected again: the indexes in `recent` of those that may still come.
    private var expected: Range<Int>?

    /// Longer lines are returned in pieces of this size, without LF.
    static let pieceSize = 64 << 10
    /// Maximum number of lines remembered: of more in one second, the last ones.
    static let recentLimit = 100_000

    public init() {}

    /// The time from which the next response is to be requested, in whole seconds (`sinceTime`); nil: from the beginning.
    public var resumeTime: Timestamp? {
        recent.last.map { Timestamp(microseconds: Self.second(of: $0.time) * 1_000_000) }
    }

    /// Whether the present response had none of the lines that it should have begun with: the log was rotated before it,
    /// and lines may be missing.
    public private(set) var mayHaveLost = false

    /// Begins the next response, requested from `resumeTime` on.
    public mutating func resume() {
        (open, openTime, mayHaveLost) = ([], nil, false)
        expected = recent.isEmpty ? nil : recent.indices
    }

    /// Takes the next bytes of a response; returns the lines that are complete and new.
    public mutating func receive(_ bytes: some Sequence<UInt8>) -> [PodLogLine] {
        var lines: [PodLogLine] = []
        open += bytes
        var start = 0
        while start < open.count {
            let piece = open[start...].prefix(Self.pieceSize)
            let end = piece.firstIndex(of: Lines.feed).map { $0 + 1 } ?? piece.endIndex
            let isWhole = open[end - 1] == Lines.feed
            guard isWhole || piece.count == Self.pieceSize else {
                break
            }
            if let line = new(open[start..<end], isWhole: isWhole) {
                lines.append(line)
            }
            start = end
        }
        open.removeFirst(start)
        return lines
    }

    /// The rest of the last line, after the last response: a log that ends without LF.
    public mutating func finish() -> PodLogLine? {
        defer { open = [] }
        return open.isEmpty ? nil : new(open[...], isWhole: true)
    }

    /// The line, or the piece of one, in `bytes`, if it is new.
    private mutating func new(_ bytes: ArraySlice<UInt8>, isWhole: Bool) -> PodLogLine? {
        let line: PodLogLine
        if let openTime {
            line = PodLogLine(time: openTime, text: Array(bytes))
        } else {
            line =
                PodLogLine(bytes)
                ?? PodLogLine(time: recent.last?.time ?? Timestamp(microseconds: 0), text: Array(bytes))
        }
        openTime = isWhole ? nil : line.time
        guard !isRepeated(line) else {
            return nil
        }
        remember(line)
        return line
    }

    private mutating func isRepeated(_ line: PodLogLine) -> Bool {
        guard let range = expected, let last = recent.last else {
            return false
        }
        let order = Self.second(of: line.time) - Self.second(of: last.time)
        if order == 0, let index = recent[range].firstIndex(of: line) {
            expected = index + 1..<range.upperBound
            return true
        }
        if order >= 0, range.lowerBound == 0 {
            mayHaveLost = true
        }
        // Before the second that was asked for: a server that ignores sinceTime.
        return order < 0
    }

    private mutating func remember(_ line: PodLogLine) {
        if let last = recent.last, Self.second(of: last.time) != Self.second(of: line.time) {
            recent.removeAll(keepingCapacity: true)
            expected = nil
        }
        if recent.count >= Self.recentLimit {
            let count = Self.recentLimit / 2
            recent.removeFirst(count)
            expected = expected.map { max(0, $0.lowerBound - count)..<max(0, $0.upperBound - count) }
        }
        recent.append(line)
    }

    private static func second(of time: Timestamp) -> Int64 {
        let (quotient, remainder) = time.microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
