import LogModel
import SystemIO

/// Where a stream stands when it is opened for writing.
struct RecoveredStream {
    var nextOffset: UInt64 = 0
    /// The pair to go on with, when the last one is not full.
    var activePair: RepairedPair?
    /// Pairs that wait to be sealed, in order.
    var closedPairs: [UInt64] = []
    var endsMidLine = false
    var source: [UInt8]?
}

/// Makes a stream whole after a crash; touches the last segment and the active pairs only.
struct StreamRecovery {
    let layout: StreamLayout
    let fileSystem: any FileSystem
    let isReplayable: Bool
    let hostDied: Bool

    func recover() throws(SystemError) -> RecoveredStream {
        var extents = try layout.extents(on: fileSystem)
        let pairs = extents.filter { $0.kind == .pair }.map(\.base)
        try cutUnsyncedBlocks(of: extents.filter { $0.kind == .segment }.map(\.base), pairs: Set(pairs))
        try removeOrphanedIndexes(pairs: Set(pairs))
        extents = try layout.extents(on: fileSystem)

        var recovered = RecoveredStream()
        for extent in extents where extent.kind != .pair {
            let file = try SegmentFile(path: layout.file(extent), fileSystem: fileSystem)
            recovered.nextOffset = max(recovered.nextOffset, file.headers.last?.end ?? 0)
        }
        let repair = PairRepair(
            layout: layout,
            fileSystem: fileSystem,
            isReplayable: isReplayable,
            hostDied: hostDied
        )
        for (place, base) in pairs.enumerated() {
            let next = place + 1 < pairs.count ? pairs[place + 1] : nil
            let pair = try repair.repair(base, limit: next)
            recovered.nextOffset = max(recovered.nextOffset, pair.end)
            recovered.source = pair.source ?? recovered.source
            recovered.endsMidLine = pair.endsMidLine
            let canContinue = next == nil && pair.dataLength < StoreLimits.blockTarget
            if canContinue {
                recovered.activePair = pair
            } else if pair.recordCount > 0 {
                recovered.closedPairs.append(base)
            } else {
                try fileSystem.remove(layout.index(base))
                try fileSystem.remove(layout.log(base))
            }
        }
        return recovered
    }

    /// A sealed block whose pair still exists was not known to be synced: it is cut off and will be sealed again.
    ///
    /// Only the last segments can hold such blocks, so the walk goes backwards and ends at the first that holds none
    /// and is closed.
    private func cutUnsyncedBlocks(of segments: [UInt64], pairs: Set<UInt64>) throws(SystemError) {
        for base in segments.reversed() {
            let path = layout.segment(base)
            let file = try SegmentFile(path: path, fileSystem: fileSystem)
            let firstUnsynced = file.headers.first { pairs.contains($0.offset) }
            if file.isClosed, firstUnsynced == nil {
                return
            }
            let length = firstUnsynced?.position ?? file.headers.last?.nextPosition ?? 0
            if length == 0 {
                try fileSystem.remove(path)
            } else {
                try StoredFile(path, .update, on: fileSystem).truncate(to: length)
            }
        }
    }

    /// A pair is removed index last, so an index without a log is the rest of a removal.
    private func removeOrphanedIndexes(pairs: Set<UInt64>) throws(SystemError) {
        let suffix = StreamLayout.indexSuffix
        for name in try fileSystem.names(in: layout.path) where name.hasSuffix(suffix) {
            let base = UInt64(name.dropLast(suffix.count))
            if let base, !pairs.contains(base) {
                try fileSystem.remove(layout.path + "/" + name)
            }
        }
    }
}
