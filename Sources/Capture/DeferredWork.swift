// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Work on the store that the writer does item by item, for at most half of its time: when many machines start or end at
/// once, the text of others does not wait for the files of all.
struct DeferredWork {
    enum Item {
        /// An open stream without text is not in the store yet, and is created there.
        case opening(StreamSink)
        /// All that was closed of a VM is on disk: the VM in that folder is closed, unless it is in use again.
        case closing(VMIdentity, directory: String)
    }

    /// The shortest pause after an item, in microseconds. An item takes some milliseconds, because of its syncs; on a slow
    /// disk it takes longer, and the pause is as long.
    static let interval: Int64 = 5000

    private var items: [Item] = []
    /// The streams of `.opening` items, by VM without its alias.
    private var silent: [VMIdentity: [StreamSink]] = [:]
    /// The folders of `.closing` items.
    private var unused: Set<String> = []
    /// How many of `items` were taken.
    private var taken = 0
    private var next: Int64 = 0

    /// Adds an item, unless it is the closing of a VM that is to be closed already: a VM whose stream is opened and closed
    /// for each message has one item, however fast the messages come.
    mutating func add(_ item: Item) {
        switch item {
        case .opening(let sink):
            let vm = sink.key.vm.withoutAlias
            silent[vm, default: []].removeAll { !$0.isSilent }
            silent[vm, default: []].append(sink)
        case .closing(_, let directory):
            guard unused.insert(directory).inserted else {
                return
            }
        }
        items.append(item)
    }

    /// The streams of `vm` that wait to be opened under a name that it had before.
    func openings(underEarlierNamesOf vm: VMIdentity) -> [StreamSink] {
        silent[vm.withoutAlias, default: []].filter { $0.key.vm != vm }
    }

    /// When the next item is due, in monotonic microseconds; nil without items.
    var due: Int64? { taken == items.count ? nil : next }

    /// The item that was taken is done.
    mutating func note(begin: Int64, end: Int64) {
        next = end + max(Self.interval, end - begin)
    }

    /// Removes and returns the oldest item.
    mutating func takeFirst() -> Item? {
        while taken < items.count {
            let item = items[taken]
            taken += 1
            if taken > items.count / 2 {
                items.removeFirst(taken)
                taken = 0
            }
            switch item {
            case .opening(let sink):
                let vm = sink.key.vm.withoutAlias
                silent[vm]?.removeAll { $0 === sink }
                silent[vm] = silent[vm]?.isEmpty == true ? nil : silent[vm]
                // Its text may have opened it.
                guard sink.isSilent else {
                    continue
                }
            case .closing(_, let directory):
                unused.remove(directory)
            }
            return item
        }
        return nil
    }
}
