// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// Encoded records that are sent together.
struct OutputBatch: Sendable {
    /// One record.
    struct Item: Sendable {
        /// Its encoded form in `bytes`.
        var range: Range<Int>
        /// The index of its stream in `origins`.
        var origin: Int
        var id: String
        /// Nanoseconds since the Unix epoch.
        var time: Int64
        /// Whether the end of its line is missing, and whether it is the continuation of the record before it in its
        /// stream, whose end is missing.
        var isPartial = false
        var continuesPart = false
    }

    /// The encoded records, one after the other.
    var bytes: [UInt8] = []
    var items: [Item] = []
    var origins: [RecordOrigin] = []
    /// Where to resume when all of it is settled, and the latest times by then.
    var moved: [StreamID: StreamProgress] = [:]
    /// Gaps because the store has removed text before it was read, and their bytes.
    var gaps: UInt64 = 0
    var gapBytes: UInt64 = 0
    /// Whether more records may be there now.
    var hasMore = false

    /// Makes an empty batch.
    init() {
        bytes.reserveCapacity(OutputLimits.batch + OutputLimits.batch / 4)
    }

    /// Adds a record of the stream with the index `origin` in `origins`.
    mutating func append(_ record: OutputRecord, origin: Int, for destination: any OutputDestination) {
        let start = bytes.count
        destination.encode(record, to: &bytes)
        var item = Item(range: start..<bytes.count, origin: origin, id: record.id, time: record.time)
        (item.isPartial, item.continuesPart) = (record.isPartial, record.continuesPart)
        items.append(item)
    }

    /// Appends the encoded form of one record to `out`.
    func append(_ item: Int, to out: inout [UInt8]) {
        bytes.withUnsafeBytes { out.append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[items[item].range])) }
    }

    /// The VM of each item, as a number, and how many VMs there are in `origins`.
    var owners: (ofItems: [Int], count: Int) {
        var numbers: [String: Int] = [:]
        let ofOrigins = origins.map { origin in
            let number = numbers[origin.stream.vm] ?? numbers.count
            numbers[origin.stream.vm] = number
            return number
        }
        return (items.map { ofOrigins[$0.origin] }, numbers.count)
    }

    /// `selection`, a list of items in order, in runs of the same stream.
    func runs(of selection: [Int]) -> [(origin: RecordOrigin, items: ArraySlice<Int>)] {
        var runs: [(origin: RecordOrigin, items: ArraySlice<Int>)] = []
        var start = 0
        for index in selection.indices {
            let isLast = index + 1 == selection.count
            if isLast || items[selection[index + 1]].origin != items[selection[index]].origin {
                runs.append((origins[items[selection[index]].origin], selection[start...index]))
                start = index + 1
            }
        }
        return runs
    }
}

/// How far one output has come in a stream.
struct StreamProgress: Hashable, Sendable {
    var cursor: Cursor
    /// The times given so far: a record that is sent again after a restart gets the same.
    var time = RisingTime()
}
