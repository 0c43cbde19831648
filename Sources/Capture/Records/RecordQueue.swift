// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// What of one record stream waits to be committed, in order: batches, and markers between them.
struct RecordQueue: Sendable {
    enum Item: Sendable {
        case batch(RecordBatch, onCommitted: @Sendable () -> Void)
        case gap(GapDetail, position: [UInt8]?)
        case marker(ConsoleMarker, time: Timestamp, position: [UInt8]?)
    }

    private var items: [Item?] = []
    /// The index of the first item; those before it are nil.
    private var start = 0
    /// Memory of all batches, in bytes.
    private(set) var size = 0

    /// The memory of a batch besides its text, and of a marker: small batches are limited in number too.
    static let overhead = 512

    /// The memory of a batch and of the losses before it.
    static func cost(of batch: RecordBatch) -> Int { batch.text.count + overhead * (1 + batch.losses.count) }

    var first: Item? { start < items.count ? items[start] : nil }

    mutating func append(_ batch: RecordBatch, onCommitted: @escaping @Sendable () -> Void) {
        size += Self.cost(of: batch)
        for loss in batch.losses {
            append(loss.gap, position: loss.position)
        }
        items.append(.batch(batch, onCommitted: onCommitted))
    }

    /// Adds a gap at the end. Losses since the last batch for one reason are one gap, so that gaps need no limit; those
    /// with a position are as many as the source's batches at most.
    mutating func append(_ gap: GapDetail, position: [UInt8]?) {
        for index in (start..<items.count).reversed() {
            // A gap with a position has a place of its own: what follows it moves the position on.
            guard position == nil, case .gap(let last, position: nil)? = items[index] else {
                break
            }
            if last.reason == gap.reason {
                items[index] = .gap(last.joined(with: gap), position: nil)
                return
            }
        }
        items.append(.gap(gap, position: position))
    }

    /// Adds a marker at the end. A source adds few of them between two batches.
    mutating func append(_ marker: ConsoleMarker, time: Timestamp, position: [UInt8]?) {
        items.append(.marker(marker, time: time, position: position))
    }

    /// Removes the first item.
    mutating func removeFirst() {
        if case .batch(let batch, _)? = first {
            size -= Self.cost(of: batch)
        }
        items[start] = nil
        start += 1
        if start > items.count / 2 {
            items.removeFirst(start)
            start = 0
        }
    }
}
