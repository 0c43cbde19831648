// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

// What retention records about removed data, so that it is not taken for damage.
extension Retention {
    /// Updates a stream's `extents.json`.
    func update(
        _ layout: StreamLayout,
        _ change: (inout SealedExtents) throws(SystemError) -> Void
    ) throws(SystemError) {
        try SealedExtents.update(layout, on: store.fileSystem, change)
    }

    func heads(_ layout: StreamLayout) throws(SystemError) -> Set<UInt64> {
        Set(try layout.extents(on: store.fileSystem).filter { $0.kind == .head }.map(\.base))
    }

    /// Records which boot heads were added, extended and removed since `earlier`.
    func noteHeads(
        since earlier: Set<UInt64>,
        _ layout: StreamLayout,
        in known: inout SealedExtents
    ) throws(SystemError) {
        let present = try heads(layout)
        known.heads.removeAll { earlier.subtracting(present).contains($0.lowerBound) }
        for base in present {
            let extent = StreamLayout.Extent(base: base, kind: .head)
            if let end = try blocks(of: extent, layout).last?.end, end > base {
                known.heads.removeAll { $0.lowerBound == base }
                known.heads.append(base..<end)
            }
        }
        known.heads.sort { $0.lowerBound < $1.lowerBound }
        known.heads = known.heads.suffix(2 * StoreLimits.headsKept)
    }

    func removeHead(_ head: StreamLayout.Extent, _ layout: StreamLayout) throws(SystemError) -> Freed {
        let note = { [self] () throws(SystemError) in
            try update(layout) { known throws(SystemError) in known.heads.removeAll { $0.lowerBound == head.base } }
        }
        let isNoted = (try? note()) != nil
        let freed = try remove([layout.file(head)])
        if !isNoted {
            try? note()
        }
        return freed
    }
}
