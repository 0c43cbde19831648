// SPDX-License-Identifier: Apache-2.0

import LogModel

/// What ended processes had read and not committed, and their unrecorded losses, by stream.
///
/// A stream's data is recovered before its first new byte, when its options are known; that of streams without a new
/// source, soon after the start.
struct Orphans {
    /// The data of one stream in one slot of a ring. In the stream's order: what the writer could not store, the
    /// entries, what the shard dropped.
    struct UncommittedData {
        let ring: InflightRing
        let slot: Int
        var entries: [InflightRing.Entry] = []
    }

    private(set) var uncommitted: [StreamKey: [UncommittedData]] = [:]
    /// The rings, oldest first.
    var rings: [InflightRing]

    init(_ rings: [InflightRing] = []) {
        self.rings = rings
        for ring in rings {
            var bySlot: [Int: UncommittedData] = [:]
            for slot in 0..<ring.slotsUsed where ring.hasUnwrittenMarkers(slot) {
                bySlot[slot] = UncommittedData(ring: ring, slot: slot)
            }
            // A stream that was closed and reopened has two slots: the one used first comes first.
            var order = bySlot.keys.sorted()
            var position = ring.tail
            while let entry = ring.entry(at: position) {
                position = entry.end
                guard entry.isContent, entry.state != .done, entry.slot < ring.slotsUsed else {
                    continue
                }
                if bySlot[entry.slot]?.entries.isEmpty ?? true {
                    order.removeAll { $0 == entry.slot }
                    order.append(entry.slot)
                }
                bySlot[entry.slot, default: UncommittedData(ring: ring, slot: entry.slot)].entries.append(entry)
            }
            for slot in order {
                guard let left = bySlot[slot] else {
                    continue
                }
                if let key = StreamKey(decoding: ring.key(of: slot)) {
                    uncommitted[key, default: []].append(left)
                } else {
                    // The slot was being assigned when the process died: its data belongs to no stream.
                    left.entries.forEach { $0.state = .done }
                }
            }
        }
    }

    mutating func take(_ key: StreamKey) -> [UncommittedData] { uncommitted.removeValue(forKey: key) ?? [] }
}
