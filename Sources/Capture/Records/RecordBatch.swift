// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// Records of one stream, in order, that are committed together: as one index record, with the position up to which the
/// source was read.
public struct RecordBatch: Sendable {
    /// The records, each a line of canonical JSON (RFC 8259) with its line feed.
    public private(set) var text: [UInt8] = []
    /// The number of records.
    public private(set) var count = 0
    /// Losses before the records, with the source's positions after them. They are marked if the batch is accepted.
    public private(set) var losses: [(gap: GapDetail, position: [UInt8]?)] = []
    /// When they were received.
    public let received: Timestamp
    /// The earliest and the latest time in the records themselves; nil when none has one.
    public private(set) var ownTime: ClosedRange<Timestamp>?
    /// The source's position after the last record, opaque here; nil when the source has none.
    public private(set) var position: [UInt8]?

    /// Maximum number of bytes in a batch of several records: half a block, so that a batch that no longer fits into
    /// one block leaves it at least half full.
    static let sizeLimit = StoreLimits.blockTarget / 2
    /// Maximum number of bytes in one record with its line feed. A source truncates a longer one, and flags it.
    public static let recordLimit = StoreLimits.sourceDistance
    /// Maximum number of records in a batch: an index record counts no more.
    static let countLimit = StoreLimits.linesPerRecord
    /// Maximum number of bytes in a position.
    public static let positionLimit = RecordDetail.maximumSourceLength

    /// An empty batch of records received at `received`.
    public init(received: Timestamp) {
        self.received = received
    }

    /// A part of a console's text, with the source's position after it; nil when the rest of what the source has read
    /// with it follows in another batch.
    public init(console text: [UInt8], received: Timestamp, position: [UInt8]?) throws(RecordError) {
        self.init(received: received)
        if let position {
            try setPosition(position)
        }
        self.text = text
        count = text.count { $0 == Lines.feed }
    }

    /// Adds a record, with its own time and the source's position after it. Returns false when it does not fit: then
    /// the batch is to be committed first. Throws when it can be in no batch.
    public mutating func append(
        _ line: [UInt8],
        ownTime time: Timestamp? = nil,
        position: [UInt8]? = nil
    ) throws(RecordError) -> Bool {
        let size = line.count + 1
        guard size <= Self.recordLimit else {
            throw .tooLong(size)
        }
        guard line.withUnsafeBytes({ Lines.firstFeed(in: $0) }) == nil else {
            throw .severalLines
        }
        guard position?.count ?? 0 <= Self.positionLimit else {
            throw .positionTooLong(position?.count ?? 0)
        }
        guard count == 0 || (text.count + size <= Self.sizeLimit && count < Self.countLimit) else {
            return false
        }
        text.append(contentsOf: line)
        text.append(Lines.feed)
        count += 1
        self.position = position
        if let time {
            ownTime = ownTime.map { min($0.lowerBound, time)...max($0.upperBound, time) } ?? time...time
        }
        return true
    }

    /// Adds a loss before the records. `position` is the source's after it, so that a source that is read again does not
    /// report it again.
    public mutating func addLoss(_ gap: GapDetail, position: [UInt8]? = nil) {
        losses.append((gap, position))
    }

    /// Sets the source's position after the last record, for a source that knows it only when the batch is complete.
    public mutating func setPosition(_ position: [UInt8]) throws(RecordError) {
        guard position.count <= Self.positionLimit else {
            throw .positionTooLong(position.count)
        }
        self.position = position
    }
}

/// The reason why something cannot be stored as a record.
public enum RecordError: Error, Hashable, CustomStringConvertible {
    /// It has that many bytes, more than `RecordBatch.recordLimit`.
    case tooLong(Int)
    /// It contains a line feed, which ends a record.
    case severalLines
    /// Its position has that many bytes, more than `RecordBatch.positionLimit`.
    case positionTooLong(Int)

    public var description: String {
        switch self {
        case .tooLong(let size): "a record of \(size) bytes is longer than \(RecordBatch.recordLimit)"
        case .severalLines: "a record contains a line feed"
        case .positionTooLong(let size): "a position of \(size) bytes is longer than \(RecordBatch.positionLimit)"
        }
    }
}
