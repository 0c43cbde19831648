// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

// What is removed of a VM that exceeds its limit.
extension Retention {
    /// Removes the oldest segments and unsealed pairs of the VM's largest stream, until about `excess` bytes are freed
    /// or another stream is the largest; nil when nothing may be removed.
    func reduce(vm: String, by excess: Int, limit: Int) throws(SystemError) -> Freed? {
        var usages: [(owner: StreamID, usage: Int)] = []
        for stream in try store.streams(of: vm) {
            usages.append((stream, try store.usage(of: stream)))
        }
        let shares = EvictionShare.shares(of: usages, excess: excess)
        for share in shares {
            let layout = StreamLayout(path: store.path(of: share.owner))
            let victims = try extents(layout).victims(freeing: share.bytes) { size(of: $0, layout) }
            if !victims.isEmpty {
                return try remove(victims, of: share.owner)
            }
        }
        // Only quarantine, heads, and the newest extents are left.
        for share in shares {
            let layout = StreamLayout(path: store.path(of: share.owner))
            if store.fileSystem.status(layout.quarantine) != nil,
                let name = try store.fileSystem.names(in: layout.quarantine).min()
            {
                return try remove([layout.quarantine + "/" + name])
            }
        }
        return try evictHead(of: shares.map(\.owner), limit: limit)
    }

    /// Removes the oldest boot head, if the heads alone take more than half of `limit`: while a flood waits to be
    /// sealed the VM may exceed its limit for a moment, and no head is removed for that.
    private func evictHead(of streams: [StreamID], limit: Int) throws(SystemError) -> Freed? {
        var oldest: (layout: StreamLayout, extent: StreamLayout.Extent)?
        var total = 0
        for stream in streams {
            let layout = StreamLayout(path: store.path(of: stream))
            for extent in try layout.extents(on: store.fileSystem) where extent.kind == .head {
                oldest = oldest ?? (layout, extent)
                total += size(of: extent, layout)
            }
        }
        guard let oldest, total > limit / 2 else {
            return nil
        }
        return try removeHead(oldest.extent, oldest.layout)
    }

    /// The VM's disk usage, without what the next sync will free: a compressed burst evicts nothing. Computed only when
    /// the total usage exceeds `limit`.
    func usage(of vm: String, within limit: Int) throws(SystemError) -> Int {
        var usage = try store.usage(of: vm)
        guard usage > limit else {
            return usage
        }
        for stream in try store.streams(of: vm) {
            let layout = StreamLayout(path: store.path(of: stream))
            for pair in try extents(layout).sealed {
                for file in [layout.log(pair.base), layout.index(pair.base)] {
                    usage -= store.fileSystem.status(file)?.diskUsage ?? 0
                }
            }
        }
        return usage
    }

    /// A stream's extents, with the newest sealed block read from its segment.
    func extents(_ layout: StreamLayout) throws(SystemError) -> EvictableExtents {
        let extents = try layout.extents(on: store.fileSystem)
        var lastSealed: UInt64?
        for extent in extents.reversed() where extent.kind == .segment && lastSealed == nil {
            lastSealed = try blocks(of: extent, layout).last?.offset
        }
        return EvictableExtents(extents, lastSealed: lastSealed)
    }

    /// Disk usage of an extent without a pair's index.
    private func size(of extent: StreamLayout.Extent, _ layout: StreamLayout) -> Int {
        store.fileSystem.status(layout.file(extent))?.diskUsage ?? StoreLimits.fileCost
    }

    /// Removes consecutive extents of a stream.
    func remove(_ victims: [StreamLayout.Extent], of stream: StreamID) throws(SystemError) -> Freed {
        let layout = StreamLayout(path: store.path(of: stream))
        var (start, end) = (UInt64.max, UInt64.min)
        var files: [[String]] = []
        for victim in victims {
            start = min(start, victim.base)
            if victim.kind == .pair {
                end = max(end, try self.end(ofPair: victim.base, layout))
                files.append([layout.log(victim.base), layout.index(victim.base)])
            } else {
                // The segment before its pairs: pairs that a crash leaves are the newest data, and will be sealed
                // again.
                let blocks = try blocks(of: victim, layout)
                end = max(end, blocks.last?.end ?? victim.base)
                let pairs = blocks.flatMap { [layout.log($0.offset), layout.index($0.offset)] }
                files.append([layout.segment(victim.base)] + pairs)
            }
        }
        // With them, pairs that the sealer has skipped.
        for extent in try layout.extents(on: store.fileSystem)
        where extent.kind == .pair && extent.base < end && !victims.contains(extent) {
            files[files.count - 1] += [layout.log(extent.base), layout.index(extent.base)]
        }
        // Freeing space on a full or failing disk must not depend on reading or writing a head.
        let heads = try self.heads(layout)
        try? BootHeads(layout: layout, fileSystem: store.fileSystem, compressor: compressor)
            .save(range: start..<max(start, end), from: store.reader(of: stream))
        let isReplayable = store.properties(of: stream).isReplayable
        let source = isReplayable ? try SourcePosition.last(in: victims, layout, on: store.fileSystem) : nil
        let note = { [self] () throws(SystemError) in
            try update(layout) { known throws(SystemError) in
                known.trim(to: end)
                known.source = source.map { known.source.followed(by: $0) } ?? known.source
                try noteHeads(since: heads, layout, in: &known)
            }
        }
        // On a full disk the note can perhaps be written only after the files were removed.
        let isNoted = (try? note()) != nil
        var freed = Freed()
        for files in files {
            freed += try remove(files)
        }
        if !isNoted {
            try? note()
        }
        return freed
    }

    /// The blocks of a segment; none when it cannot be read.
    func blocks(of segment: StreamLayout.Extent, _ layout: StreamLayout) throws(SystemError) -> [BlockHeader] {
        try SegmentFile.readable(layout.file(segment), on: store.fileSystem)?.headers ?? []
    }

    /// The end of a pair, as far as it can be read.
    private func end(ofPair base: UInt64, _ layout: StreamLayout) throws(SystemError) -> UInt64 {
        do throws(SystemError) {
            return try PairFile(layout, base: base, fileSystem: store.fileSystem).end
        } catch {
            guard error.isDamagedFile else {
                throw error
            }
            return base
        }
    }
}
