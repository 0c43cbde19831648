// SPDX-License-Identifier: Apache-2.0

import LogModel

/// What ended processes had read and not committed, and their unrecorded losses, by stream.
///
/// A stream's data is recovered before its first new byte, when its options are known; that of streams without a new
/// source, soon after the start. The VM may have been renamed meanwhile: its stream in the store is the same.
struct Orphans {
    /// The data of one stream in one slot of a ring. In the stream's order: what the writer could not store, the
    /// entries, what the shard dropped.
    struct UncommittedData {
        /// The stream, as the ended process knew it.
        let key: StreamKey
        let ring: InflightRing
        let slot: Int
        let entries: [InflightRing.Entry]

        /// Whether boots are found in it.
        var isConsole: Bool { ring.isConsole(slot) }
    }

    /// By the streams' keys without aliases.
    private(set) var uncommitted: [StreamKey: [UncommittedData]] = [:]
    /// The rings, oldest first.
    var rings: [InflightRing]

    init(_ rings: [InflightRing] = []) {
        self.rings = rings
        for ring in rings {
            var bySlot: [Int: [InflightRing.Entry]] = [:]
            for slot in 0..<ring.slotsUsed where ring.hasUnwrittenMarkers(slot) {
                bySlot[slot] = []
            }
            // A stream that was closed and reopened has two slots: the one used first comes first.
            var order = bySlot.keys.sorted()
            var position = ring.tail
            while let entry = ring.entry(at: position) {
                position = entry.end
                guard entry.isContent, entry.state != .done, entry.slot < ring.slotsUsed else {
                    continue
                }
                if bySlot[entry.slot]?.isEmpty ?? true {
                    order.removeAll { $0 == entry.slot }
                    order.append(entry.slot)
                }
                bySlot[entry.slot, default: []].append(entry)
            }
            for slot in order {
                let entries = bySlot[slot] ?? []
                if let key = StreamKey(decoding: ring.key(of: slot)) {
                    let left = UncommittedData(key: key, ring: ring, slot: slot, entries: entries)
                    uncommitted[key.withoutAlias, default: []].append(left)
                } else {
                    // The slot was being assigned when the process died: its data belongs to no stream.
                    entries.forEach { $0.state = .done }
                }
            }
        }
    }

    var isEmpty: Bool { uncommitted.isEmpty }

    /// Of each stream the data of the last process that has any.
    var latest: [UncommittedData] { uncommitted.values.compactMap(\.last) }

    /// Removes and returns the data of a stream.
    mutating func take(_ key: StreamKey) -> [UncommittedData] {
        uncommitted.removeValue(forKey: key.withoutAlias) ?? []
    }
}
