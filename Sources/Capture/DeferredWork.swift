// SPDX-License-Identifier: Apache-2.0

import LogModel

/// What the writer does in the store when nobody's text waits for it, one piece in a turn: when many machines start or end
/// at once, the text of others does not wait for the files of all.
struct DeferredWork {
    enum Item {
        /// An open stream without text is not in the store yet, and is created there.
        case opening(StreamSink)
        /// A stream or VM was closed, and all of it is on disk: the VM in that folder is closed after the last.
        case closing(VMIdentity, directory: String)
    }

    /// While there is text of others one piece is done in this time, in microseconds: each takes one or a few milliseconds,
    /// because of its syncs.
    static let interval: Int64 = 5000

    private var items: [Item] = []
    /// How many of `items` were taken.
    private var taken = 0
    private var lastTaken: Int64 = 0

    mutating func add(_ item: Item) {
        items.append(item)
    }

    var isEmpty: Bool { taken == items.count }

    /// Removes and returns the piece that waits longest, if it is time; `isBusy` while there is text of others.
    mutating func takeFirst(at now: Int64, isBusy: Bool) -> Item? {
        guard !isBusy || now - lastTaken >= Self.interval else {
            return nil
        }
        while taken < items.count {
            let item = items[taken]
            taken += 1
            if taken > items.count / 2 {
                items.removeFirst(taken)
                taken = 0
            }
            // Its text may have opened it.
            if case .opening(let sink) = item, !sink.isSilent {
                continue
            }
            lastTaken = now
            return item
        }
        return nil
    }
}
