// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The state of a stream that is opened for writing.
struct RecoveredStream {
    var nextOffset: UInt64 = 0
    /// The end of the existing files; before `nextOffset` when the stream is known to have had more.
    var foundEnd: UInt64 = 0
    /// The pair to continue, when the last one is not full.
    var activePair: RepairedPair?
    /// Pairs to be sealed, in order.
    var closedPairs: [UInt64] = []
    var endsMidLine = false
    var markersAtEnd = 0
    /// In replayable streams.
    var source = SourcePosition()
    /// Whether positions from `nextOffset` on may have been assigned to lost bytes.
    var isEndUncertain = false
    /// Bytes known to be lost at the end.
    var lost = 0
}

/// Recovers a stream after a crash; reads the last segments and the active pairs only.
struct StreamRecovery {
    let layout: StreamLayout
    let fileSystem: any FileSystem
    let isReplayable: Bool
    let hostDied: Bool

    /// Whether a sealer of this process works on the stream: then segments, and pairs whose blocks are in them, are not
    /// touched.
    let isBeingSealed: Bool
    /// The known end of the stream.
    var knownEnd: Cursor
    /// The last source position that retention removed.
    var removedSource = SourcePosition()

    func recover() throws(SystemError) -> RecoveredStream {
        try removeLeftovers()
        try setAsideForeignFiles()
        var recovered = RecoveredStream()
        let extents = try layout.extents(on: fileSystem)
        let known = extents.filter { $0.kind == .pair }.map(\.base)
        let pairs = try cutUnsyncedBlocks(pairs: known, &recovered)
        for (index, base) in pairs.enumerated() {
            let next = index + 1 < pairs.count ? pairs[index + 1] : nil
            guard let pair = try repair(base, limit: next) else {
                recovered.nextOffset = max(recovered.nextOffset, base)
                recovered.closedPairs.append(base)
                recovered.isEndUncertain = recovered.isEndUncertain || next == nil
                continue
            }
            recovered.nextOffset = max(recovered.nextOffset, pair.end)
            recovered.source = recovered.source.followed(by: pair.source)
            recovered.endsMidLine = pair.dataLength > 0 ? pair.endsMidLine : recovered.endsMidLine
            recovered.markersAtEnd = pair.recordCount > 0 ? pair.markersAtEnd : recovered.markersAtEnd
            // Damage before the last pair leaves a hole, which readers report; after it, the end is unknown.
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
        if isReplayable, recovered.source.value == nil {
            let sealed = extents.filter { $0.kind == .segment }
            let stored = try SourcePosition.last(in: sealed, layout, on: fileSystem)
            recovered.source = removedSource.followed(by: stored).followed(by: recovered.source)
        }
        // An extent beyond the last pair, a boot head or a segment whose blocks are gone, shows that later positions
        // were assigned already: the stream does not continue in the pair.
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

    /// The repaired pair at `base`; nil when the disk cannot read it: it stays, and the sealer tries it again.
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
            return nil
        }
    }

    /// Sets aside other kinds of files with names of the store's files.
    private func setAsideForeignFiles() throws(SystemError) {
        for name in try fileSystem.names(in: layout.path)
        where StreamLayout.extent(named: name) != nil || name.hasSuffix(StreamLayout.indexSuffix) {
            try fileSystem.clear(layout.path + "/" + name, for: .regular)
        }
        try fileSystem.clear(layout.quarantine, for: .directory)
    }

    /// A pair is removed index last, so an index without a log remains from an interrupted removal; so does a `.new`
    /// file from a replacement.
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

    /// Cuts off the blocks that may not be synced, those at the end whose pairs still exist: they will be sealed again.
    /// Returns the remaining pairs.
    ///
    /// Only the last segments can have such blocks, so the walk goes backwards and ends at the first that keeps one.
    private func cutUnsyncedBlocks(
        pairs: [UInt64],
        _ recovered: inout RecoveredStream
    ) throws(SystemError) -> [UInt64] {
        let unsealed = try pairs.map { base throws(SystemError) in try pairRange(base) }
        let extents = try layout.extents(on: fileSystem)
        if let head = extents.last(where: { $0.kind == .head }) {
            let end = try SegmentFile.readable(layout.file(head), on: fileSystem)?.headers.last?.end
            recovered.nextOffset = max(head.base, end ?? head.base)
        }
        var sealedEnd: UInt64 = 0
        for extent in extents.reversed() where extent.kind == .segment {
            let path = layout.file(extent)
            guard let file = try SegmentFile.readable(path, on: fileSystem) else {
                // The end is unknown, unless a pair continues after it.
                recovered.nextOffset = max(recovered.nextOffset, extent.base)
                recovered.isEndUncertain = recovered.isEndUncertain || !pairs.contains { $0 > extent.base }
                continue
            }
            let unsynced =
                isBeingSealed
                ? 0
                : file.headers.reversed().prefix { header in
                    unsealed.contains { $0.lowerBound <= header.offset && header.end <= $0.upperBound }
                }.count
            let kept = file.headers.count - unsynced
            // Bytes after the last block are the torn block of the next pair, if that pair exists; else they may be
            // damage to blocks that are stored nowhere else, and only a pair can tell where the stream ended.
            let end = file.headers.last?.end ?? extent.base
            let hasTornIndex = try file.hasTornIndex
            let isTorn = unsealed.contains { $0.lowerBound == end || $0.contains(end) } || hasTornIndex
            let hasLostEnd = file.hasTail && !isTorn && !pairs.contains { $0 >= end }
            if !isBeingSealed, kept < file.headers.count || (file.hasTail && isTorn) {
                let length = kept < file.headers.count ? file.headers[kept].position : file.length
                try StoredFile(path, .update, on: fileSystem).truncate(to: length)
            }
            recovered.isEndUncertain = recovered.isEndUncertain || hasLostEnd
            recovered.nextOffset = max(recovered.nextOffset, extent.base)
            // An empty file stays: the sealer continues with it, and readers that have opened it see its growth.
            guard kept > 0 else {
                continue
            }
            let last = file.headers[kept - 1]
            sealedEnd = last.end
            recovered.nextOffset = max(recovered.nextOffset, sealedEnd)
            recovered.markersAtEnd = Int(last.trailingMarkers)
            let memory = BlockMemory()
            let block = try? file.block(last, memory)
            recovered.endsMidLine = block?.text.last.map { $0 != Lines.feed } ?? false
            break
        }
        let isSealed = { (pair: Range<UInt64>) in pair.lowerBound < sealedEnd && pair.upperBound <= sealedEnd }
        for pair in unsealed where isSealed(pair) && !isBeingSealed {
            try removeRedundant(pair)
        }
        return unsealed.filter { !isSealed($0) }.map(\.lowerBound)
    }

    /// The positions in a pair, as far as its index can be read.
    private func pairRange(_ base: UInt64) throws(SystemError) -> Range<UInt64> {
        do throws(SystemError) {
            return base..<(try PairFile(layout, base: base, fileSystem: fileSystem).end)
        } catch {
            guard error.isDamagedFile else {
                throw error
            }
            return base..<base
        }
    }

    /// Completes the removal of a pair whose blocks are sealed and followed by others; while one of them is damaged the
    /// pair stays, for readers.
    private func removeRedundant(_ pair: Range<UInt64>) throws(SystemError) {
        let memory = BlockMemory()
        let files = StreamFiles(layout: layout, fileSystem: fileSystem)
        var position = pair.lowerBound
        repeat {
            var intact: BlockHeader?
            for case .sealed(let file, let header) in try files.blocks(at: position).holding
            where header.offset == position {
                intact = (try? file.block(header, memory)) ?? nil != nil ? header : intact
            }
            guard let intact, intact.end > position || pair.isEmpty else {
                return
            }
            position = intact.end
        } while position < pair.upperBound
        try fileSystem.remove(layout.log(pair.lowerBound))
        try fileSystem.remove(layout.index(pair.lowerBound))
    }
}
