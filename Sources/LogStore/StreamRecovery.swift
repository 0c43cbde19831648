import LogModel
import SystemIO

/// Where a stream stands when it is opened for writing.
struct RecoveredStream {
    var nextOffset: UInt64 = 0
    /// Where the files found end; before `nextOffset` when the stream is known to have come further.
    var foundEnd: UInt64 = 0
    /// The pair to go on with, when the last one is not full.
    var activePair: RepairedPair?
    /// Pairs that wait to be sealed, in order.
    var closedPairs: [UInt64] = []
    var endsMidLine = false
    /// Markers at `nextOffset`.
    var markersAtEnd = 0
    var source: [UInt8]?
    /// Whether positions from `nextOffset` on may have been given to bytes that are gone.
    var isEndUncertain = false
    /// Bytes known to be gone at the end.
    var lost = 0
}

/// Makes a stream whole after a crash; touches the last segments and the active pairs only.
struct StreamRecovery {
    let layout: StreamLayout
    let fileSystem: any FileSystem
    let isReplayable: Bool
    let hostDied: Bool

    /// Whether a sealer of this process is at work on the stream: segments, and pairs whose blocks are in them, are its.
    let isBeingSealed: Bool
    /// How far the stream is known to have come.
    var knownEnd: Cursor

    func recover() throws(SystemError) -> RecoveredStream {
        try removeLeftovers()
        try setAsideForeignFiles()
        var recovered = RecoveredStream()
        let known = try layout.extents(on: fileSystem).filter { $0.kind == .pair }.map(\.base)
        let pairs = try settleSegments(pairs: known, &recovered)
        for (place, base) in pairs.enumerated() {
            let next = place + 1 < pairs.count ? pairs[place + 1] : nil
            guard let pair = try repair(base, limit: next) else {
                recovered.nextOffset = max(recovered.nextOffset, base)
                recovered.isEndUncertain = recovered.isEndUncertain || next == nil
                continue
            }
            recovered.nextOffset = max(recovered.nextOffset, pair.end)
            recovered.source = pair.source ?? recovered.source
            recovered.endsMidLine = pair.dataLength > 0 ? pair.endsMidLine : recovered.endsMidLine
            recovered.markersAtEnd = pair.recordCount > 0 ? pair.markersAtEnd : recovered.markersAtEnd
            // Damage before the last pair leaves a hole, which readers see; after the last, nobody knows.
            recovered.isEndUncertain = recovered.isEndUncertain || (pair.isDamaged && next == nil)
            recovered.lost = next == nil ? pair.lost : 0
            if next == nil, pair.dataLength < StoreLimits.blockTarget {
                recovered.activePair = pair
            } else if pair.recordCount > 0 {
                recovered.closedPairs.append(base)
            } else {
                try fileSystem.remove(layout.log(base))
                try fileSystem.remove(layout.index(base))
            }
        }
        // Something that lies beyond the last pair, a boot head or a segment whose blocks are gone, tells of positions
        // that were given already: the pair is not where the stream goes on.
        if let pair = recovered.activePair, pair.end < recovered.nextOffset {
            recovered.isEndUncertain = true
        }
        recovered.foundEnd = recovered.nextOffset
        if Cursor(offset: recovered.nextOffset, markers: recovered.markersAtEnd) < knownEnd {
            recovered.isEndUncertain = true
            let first = max(recovered.nextOffset, StoreLimits.lastJump(before: knownEnd.offset))
            recovered.lost = Int(clamping: knownEnd.offset - min(knownEnd.offset, first))
            recovered.nextOffset = max(recovered.nextOffset, knownEnd.offset)
        }
        return recovered
    }

    /// The pair at `base`, made whole; nil when the disk cannot read it: then it is set aside.
    private func repair(_ base: UInt64, limit: UInt64?) throws(SystemError) -> RepairedPair? {
        let repair = PairRepair(
            layout: layout,
            fileSystem: fileSystem,
            isReplayable: isReplayable,
            hostDied: hostDied
        )
        do throws(SystemError) {
            return try repair.repair(base, limit: limit)
        } catch {
            guard error.isDamagedFile else {
                throw error
            }
            try fileSystem.setAside(layout.log(base))
            try fileSystem.setAside(layout.index(base))
            return nil
        }
    }

    /// Sets aside what has the name of one of our files and is none.
    private func setAsideForeignFiles() throws(SystemError) {
        for name in try fileSystem.names(in: layout.path)
        where StreamLayout.extent(named: name) != nil || name.hasSuffix(StreamLayout.indexSuffix) {
            try fileSystem.clear(layout.path + "/" + name, for: .regular)
        }
        try fileSystem.clear(layout.quarantine, for: .directory)
    }

    /// A pair is removed index last, so an index without a log is the rest of a removal; so is a `.new` of a
    /// replacement.
    private func removeLeftovers() throws(SystemError) {
        let names = try fileSystem.names(in: layout.path)
        let present = Set(names)
        for name in names {
            let log = name.dropLast(StreamLayout.indexSuffix.count) + StreamLayout.logSuffix
            if name.hasSuffix(StreamLayout.indexSuffix) && !present.contains(String(log)) || name.hasSuffix(".new") {
                try fileSystem.remove(layout.path + "/" + name)
            }
        }
    }

    /// Cuts off the blocks that were not known to be synced, those at the end whose pairs still exist: they will be
    /// sealed again. Returns the pairs that are left.
    ///
    /// Only the last segments can hold such blocks, so the walk goes backwards and ends at the first that keeps one.
    private func settleSegments(
        pairs: [UInt64],
        _ recovered: inout RecoveredStream
    ) throws(SystemError) -> [UInt64] {
        let known = Set(pairs)
        let extents = try layout.extents(on: fileSystem)
        if let head = extents.last(where: { $0.kind == .head }) {
            let end = try SegmentFile.readable(layout.file(head), on: fileSystem)?.headers.last?.end
            recovered.nextOffset = max(head.base, end ?? head.base)
        }
        var sealedEnd: UInt64 = 0
        for extent in extents.reversed() where extent.kind == .segment {
            let path = layout.file(extent)
            guard let file = try SegmentFile.readable(path, on: fileSystem) else {
                // Where it ends nobody knows, unless a pair goes on after it.
                recovered.nextOffset = max(recovered.nextOffset, extent.base)
                recovered.isEndUncertain = recovered.isEndUncertain || !pairs.contains { $0 > extent.base }
                continue
            }
            let unsynced = isBeingSealed ? 0 : file.headers.reversed().prefix { known.contains($0.offset) }.count
            let kept = file.headers.count - unsynced
            // What follows the last block is the torn block of the next pair, if that pair is still there; else it may
            // be damage that holds blocks which rest nowhere else, and where the stream ended only a pair can tell.
            let end = file.headers.last?.end ?? extent.base
            let hasTornIndex = try file.hasTornIndex
            let isTorn = known.contains(end) || hasTornIndex
            let hasLostEnd = file.hasTail && !isTorn && !pairs.contains { $0 >= end }
            if !isBeingSealed, kept < file.headers.count || (file.hasTail && isTorn) {
                let length = kept < file.headers.count ? file.headers[kept].position : file.length
                try StoredFile(path, .update, on: fileSystem).truncate(to: length)
            }
            recovered.isEndUncertain = recovered.isEndUncertain || hasLostEnd
            recovered.nextOffset = max(recovered.nextOffset, extent.base)
            // An empty file stays: the sealer begins with it anew, and readers that hold it see what it becomes.
            guard kept > 0 else {
                continue
            }
            let last = file.headers[kept - 1]
            sealedEnd = last.end
            recovered.nextOffset = max(recovered.nextOffset, sealedEnd)
            recovered.markersAtEnd = Int(last.trailingMarkers)
            var memory = BlockMemory()
            let block = try? file.block(last, Decompressor(), &memory)
            recovered.endsMidLine = block?.text.last.map { $0 != Lines.feed } ?? false
            break
        }
        for base in pairs where base < sealedEnd && !isBeingSealed {
            try removeRedundant(base)
        }
        return pairs.filter { $0 >= sealedEnd }
    }

    /// Finishes the removal of a pair whose block is sealed and followed by others; while the block is damaged the pair
    /// stays, for readers to find.
    private func removeRedundant(_ base: UInt64) throws(SystemError) {
        var memory = BlockMemory()
        let files = StreamFiles(layout: layout, fileSystem: fileSystem)
        for case .sealed(let file, let header) in try files.blocks(at: base).holding where header.offset == base {
            if (try? file.block(header, Decompressor(), &memory)) ?? nil != nil {
                try fileSystem.remove(layout.log(base))
                try fileSystem.remove(layout.index(base))
                return
            }
        }
    }
}
