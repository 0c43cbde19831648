// SPDX-License-Identifier: Apache-2.0

/// Which extents of a stream retention may remove. Chosen from their names and sizes; without I/O.
struct EvictableExtents {
    /// The pairs whose blocks are sealed. The next sync removes them.
    let sealed: [StreamLayout.Extent]
    /// The extents that may be removed, oldest first: of the others all but the newest, whether that is a pair or a segment.
    /// Heads are not among them.
    let evictable: ArraySlice<StreamLayout.Extent>

    /// The choice from all `extents` of a stream, in their order. `lastSealed` is the offset of the last block in a segment;
    /// nil without any. A pair whose block is sealed is removed with its segment.
    init(_ extents: [StreamLayout.Extent], lastSealed: UInt64?) {
        func isSealed(_ extent: StreamLayout.Extent) -> Bool {
            extent.kind == .pair && lastSealed.map { extent.base <= $0 } ?? false
        }
        sealed = extents.filter(isSealed)
        evictable = extents.filter { $0.kind != .head && !isSealed($0) }.dropLast()
    }

    /// The oldest that free at least `bytes`, each as much as `size` says; all when they do not suffice.
    func victims(freeing bytes: Int, size: (StreamLayout.Extent) -> Int) -> [StreamLayout.Extent] {
        var freed = 0
        return Array(
            evictable.prefix { extent in
                guard freed < bytes else {
                    return false
                }
                freed += size(extent)
                return true
            }
        )
    }
}

/// How much retention frees of a stream or a VM.
struct EvictionShare<Owner> {
    let owner: Owner
    let bytes: Int

    /// The shares in the order in which they are tried, until one can be freed: the largest stream first, each until
    /// `excess` is freed or the next one is the largest.
    static func shares(of usages: [(owner: Owner, usage: Int)], excess: Int) -> [EvictionShare] {
        let usages = usages.sorted { $0.usage > $1.usage }
        return usages.enumerated().map { index, largest in
            let next = index + 1 < usages.count ? usages[index + 1].usage : 0
            return EvictionShare(owner: largest.owner, bytes: min(excess, max(1, largest.usage - next)))
        }
    }

    /// The share of the VM with the largest usage: until another is the largest, or an equal share of `excess` when
    /// several are about as large. nil without excess or VMs.
    static func ofLargest(_ usages: [Owner: Int], excess: Int) -> EvictionShare? where Owner: Hashable {
        guard excess > 0, let (largest, usage) = usages.max(by: { $0.value < $1.value }) else {
            return nil
        }
        let next = usages.filter { $0.key != largest }.values.max() ?? 0
        return EvictionShare(owner: largest, bytes: min(excess, max(usage - next, excess / usages.count, 1)))
    }
}
