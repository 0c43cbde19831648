import LogModel

/// What processes that died had read and not committed, and what they had lost and not said, by stream.
///
/// A stream's remains are taken up before its first new byte, when its options are known; those of streams that do not
/// come back, soon after the start.
struct Orphans {
    /// What is left of one stream, oldest first.
    struct Remains {
        var entries: [(ring: InflightRing, entry: InflightRing.Entry)] = []
        var losses: [(ring: InflightRing, slot: Int)] = []
    }

    private(set) var remains: [StreamKey: Remains] = [:]
    /// Their rings, oldest first.
    var rings: [InflightRing]

    init(_ rings: [InflightRing]) {
        self.rings = rings
        for ring in rings {
            var keys: [Int: StreamKey] = [:]
            for slot in 0..<ring.slotsUsed {
                guard let key = StreamKey(decoding: ring.key(of: slot)) else {
                    continue
                }
                keys[slot] = key
                if ring.hasLosses(slot) {
                    remains[key, default: Remains()].losses.append((ring, slot))
                }
            }
            var position = ring.tail
            while let entry = ring.entry(at: position) {
                position = entry.end
                if [.data, .gap, .boot].contains(entry.kind), entry.state != .done, let key = keys[entry.slot] {
                    remains[key, default: Remains()].entries.append((ring, entry))
                }
            }
        }
    }

    mutating func take(_ key: StreamKey) -> Remains? { remains.removeValue(forKey: key) }
}
