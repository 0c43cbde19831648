// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// Compresses one stream's closed pairs into sealed blocks, in order. Owned by one thread, the sealer's.
///
/// A pair that cannot be sealed now keeps its place, and later ones wait: blocks are stored in the order of positions. One
/// that the disk cannot read for minutes is skipped: it stays a pair, and is read there when the disk can read it again.
/// All blocks of a pair are written together, into one segment, so this process never leaves a pair that is sealed in
/// part; a crash of the host may. A pair is removed only after the segment with its block was synced. When a sync fails, every block since the last
/// successful one is cut off and sealed again from its pair.
final class StreamSealer {
    private let layout: StreamLayout
    private let fileSystem: any FileSystem
    private let compressor: Compressor
    /// A segment is closed at this size even before it has all its blocks, so that a small quota can be enforced.
    private let segmentLimit: Int
    private let filters: FilterMemory
    /// Segments of at least so many bytes get a filter.
    private let smallestFiltered: Int
    private var growing: Growing?
    private var sealedEnd: UInt64 = 0
    private var waiting: [UInt64] = []
    /// The first of them, when the disk cannot read it.
    private var failure: PairFailure?
    private let clock: any HostClock
    private let onSkip: (SystemError) -> Void
    private var unsynced: [Unsynced] = []
    /// Pairs whose blocks are synced, to be removed.
    private var synced: [UInt64] = []
    /// The lengths to which segments are cut after a failed sync.
    private var cuts: [UInt64: Int] = [:]
    /// Segments closed since the last update of `extents.json`, and their ends.
    private var finished: [UInt64: UInt64] = [:]
    /// The growing segment at the last update of `extents.json`.
    private var notedGrowing: UInt64?
    /// Whether `growing` and `sealedEnd` reflect the files.
    private var isReady = false

    private struct Growing {
        let base: UInt64
        let file: StoredFile
        var headers: [BlockHeader]
        var length: Int
        /// Makes its filter as it grows; nil when it has to be made at its end.
        var filter: SegmentFilterBuilder?
        /// Whether a write failed and may have left bytes beyond `length`.
        var hasTail = false
    }

    private struct Unsynced {
        var pair: UInt64
        var segment: UInt64
        /// Where the pair's first block begins in the segment.
        var position: Int
    }

    init(
        layout: StreamLayout,
        fileSystem: any FileSystem,
        compressor: Compressor,
        filters: FilterMemory,
        smallestFiltered: Int,
        segmentLimit: Int,
        clock: any HostClock,
        onSkip: @escaping (SystemError) -> Void
    ) {
        self.clock = clock
        self.onSkip = onSkip
        self.segmentLimit = segmentLimit
        self.filters = filters
        self.smallestFiltered = smallestFiltered
        self.layout = layout
        self.fileSystem = fileSystem
        self.compressor = compressor
    }

    /// Continues the last segment, when it is neither closed nor damaged at its end.
    private func resume() throws(SystemError) {
        growing = nil
        sealedEnd = 0
        for extent in try layout.extents(on: fileSystem).reversed() where extent.kind == .segment {
            let path = layout.file(extent)
            guard let segment = try SegmentFile.readable(path, on: fileSystem), let last = segment.headers.last else {
                continue
            }
            sealedEnd = last.end
            if !segment.isClosed, !segment.hasTail {
                let file = try StoredFile(path, .update, on: fileSystem)
                growing = Growing(base: extent.base, file: file, headers: segment.headers, length: segment.length)
            }
            return
        }
    }

    /// Whether there is work after the next sync: pairs to remove, or to retry.
    var isDirty: Bool { !unsynced.isEmpty || !synced.isEmpty || !waiting.isEmpty || !cuts.isEmpty }

    /// Accepts the closed pair at `base`, which follows those given before, and seals all waiting ones.
    func seal(_ base: UInt64, _ memory: BlockMemory) throws(SystemError) {
        if !waiting.contains(base), !unsynced.contains(where: { $0.pair == base }) {
            waiting.append(base)
        }
        try sealWaiting(memory)
    }

    /// Seals the waiting pairs, until one fails.
    func sealWaiting(_ memory: BlockMemory) throws(SystemError) {
        forgetEvicted()
        try makeReady()
        while let base = waiting.first {
            if let failure, failure.base == base, failure.isPaused(at: clock.monotonicMicroseconds()) {
                throw failure.error
            }
            do throws(SystemError) {
                try sealPair(base, memory)
            } catch {
                // Retention may have removed the pair meanwhile.
                if error.code != SystemError.notFound {
                    try skip(base, after: error)
                }
            }
            failure = failure?.base == base ? nil : failure
            waiting.removeFirst()
        }
    }

    /// Reports that a pair is left as it is, because the disk cannot read it. Throws the error when it may pass, or does
    /// not concern the pair.
    private func skip(_ base: UInt64, after error: SystemError) throws(SystemError) {
        guard error.isDamagedFile, [layout.log(base), layout.index(base)].contains(error.subject) else {
            throw error
        }
        let now = clock.monotonicMicroseconds()
        if failure?.base == base {
            failure?.repeated(error, at: now)
        } else {
            failure = PairFailure(of: base, error, at: now)
        }
        guard let failure, failure.isLasting(at: now) else {
            throw error
        }
        onSkip(error)
    }

    /// Retention may have removed the segment that was written last, with the pairs of the blocks that it knew. In another
    /// process it may not have known all: the pairs that are left are sealed again.
    private func forgetEvicted() {
        guard let last = growing?.base ?? unsynced.last?.segment, fileSystem.status(layout.segment(last)) == nil else {
            return
        }
        waiting = unsynced.filter { $0.segment == last }.map(\.pair) + waiting
        unsynced.removeAll { $0.segment == last }
        growing = nil
        notedGrowing = nil
        finished[last] = nil
        isReady = false
    }

    /// Seals all blocks of a pair with one write.
    private func sealPair(_ base: UInt64, _ memory: BlockMemory) throws(SystemError) {
        guard base >= sealedEnd else {
            return
        }
        var pair = try PairFile(layout, base: base, fileSystem: fileSystem)
        var sealed = try compressed(pair, memory)
        if sealed == nil {
            _ = try PairRepair(layout: layout, fileSystem: fileSystem, isReplayable: true, hostDied: true)
                .repair(base, limit: nil)
            pair = try PairFile(layout, base: base, fileSystem: fileSystem)
            sealed = try compressed(pair, memory)
        }
        guard let sealed else {
            throw SystemError(
                "seal",
                layout.log(base),
                code: SystemError.inputOutput,
                reason: "the pair changes while it is read"
            )
        }
        guard let last = sealed.headers.last else {
            try fileSystem.remove(layout.log(base))
            try fileSystem.remove(layout.index(base))
            return
        }
        if let segment = growing,
            segment.headers.count + sealed.headers.count > StoreLimits.blocksPerSegment
                || segment.length >= segmentLimit
        {
            try finish(memory)
        }
        if growing == nil {
            growing = try newSegment(base)
        }
        guard var segment = growing else {
            return
        }
        if segment.hasTail {
            try segment.file.truncate(to: segment.length)
        }
        let start = segment.length
        segment.hasTail = true
        growing = segment
        try segment.file.write(at: start, sealed.bytes)
        segment.hasTail = false
        for var header in sealed.headers {
            header.position += start
            segment.headers.append(header)
        }
        segment.length += sealed.bytes.count
        segment.filter?.add(sealed.filter)
        growing = segment
        sealedEnd = last.end
        unsynced.append(Unsynced(pair: base, segment: segment.base, position: start))
        if segment.headers.count >= StoreLimits.blocksPerSegment || segment.length >= segmentLimit {
            try? finish(memory)
        }
    }

    /// A pair's blocks as they are stored, with their positions among these bytes.
    private struct SealedPair {
        var headers: [BlockHeader] = []
        var bytes: [UInt8] = []
        let filter = SegmentFilterBuilder()
    }

    /// The blocks of a pair; nil when its text does not match its records.
    private func compressed(_ pair: PairFile, _ memory: BlockMemory) throws(SystemError) -> SealedPair? {
        var sealed = SealedPair()
        for range in pair.blocks {
            guard let block = try pair.block(of: range, memory), block.records.count == range.count else {
                return nil
            }
            let position = sealed.bytes.count
            var header = SealedBlock.append(
                text: block.text,
                records: block.records,
                base: block.offset,
                compressor,
                to: &sealed.bytes
            )
            header.position = position
            sealed.headers.append(header)
            sealed.filter.add(block.text)
        }
        return sealed
    }

    private func newSegment(_ base: UInt64) throws(SystemError) -> Growing {
        let file = try StoredFile(layout.segment(base), .create, on: fileSystem)
        try file.truncate(to: 0)
        return Growing(base: base, file: file, headers: [], length: 0, filter: SegmentFilterBuilder(filters))
    }

    /// Closes the growing segment, which does not change any more. A failure is retried before the next block.
    private func finish(_ memory: BlockMemory) throws(SystemError) {
        guard let segment = growing else {
            return
        }
        var out: [UInt8] = []
        if segment.length >= smallestFiltered {
            let known = segment.filter
            let path = layout.segment(segment.base)
            (known ?? .reading(path, segment.headers, on: fileSystem, memory))?.filter?.append(to: &out)
        }
        SegmentIndex.append(segment.headers, to: &out)
        growing?.hasTail = true
        try segment.file.truncate(to: segment.length)
        try segment.file.write(at: segment.length, out)
        growing = nil
        finished[segment.base] = segment.headers.last?.end
        // The latest time in the segment, so that readers can skip old segments without opening them.
        let latest = segment.headers.lazy.map { max($0.timeRange.upperBound, $0.ownTime?.upperBound ?? .distantPast) }
        if let latest = latest.max() {
            try? fileSystem.setModified(layout.segment(segment.base), latest.microseconds)
        }
    }

    /// The blocks written so far are synced: removes their pairs.
    func confirmSync() throws(SystemError) {
        forgetEvicted()
        // On a full disk the pairs must be removed first to make room for it; it is retried at the next sync.
        try? noteExtents()
        synced += unsynced.map(\.pair)
        unsynced.removeAll()
        while let base = synced.first {
            try fileSystem.remove(layout.log(base))
            try fileSystem.remove(layout.index(base))
            synced.removeFirst()
        }
    }

    /// Records the ends of segments that were begun or closed since the last update, before their pairs are removed.
    private func noteExtents() throws(SystemError) {
        let isBegun = growing.map { $0.base != notedGrowing } ?? false
        guard isBegun || !finished.isEmpty else {
            return
        }
        try SealedExtents.update(layout, on: fileSystem) { [finished, growing] known throws(SystemError) in
            for (base, end) in finished {
                known.note(segment: base, upTo: end)
            }
            if let segment = growing, let end = segment.headers.last?.end {
                known.note(segment: segment.base, upTo: end)
            }
        }
        notedGrowing = growing?.base
        finished.removeAll()
    }

    /// The blocks written since the last successful sync may not be on disk, and the kernel does not report which: cuts
    /// them off, and queues their pairs to be sealed again. Until all are cut nothing is sealed.
    func revertUnsynced() throws(SystemError) {
        for block in unsynced {
            cuts[block.segment] = min(cuts[block.segment] ?? block.position, block.position)
        }
        waiting = unsynced.map(\.pair) + waiting
        unsynced.removeAll()
        growing = nil
        finished.removeAll()
        notedGrowing = nil
        isReady = false
        try makeReady()
    }

    /// Cuts the segments to be cut, and continues the last one.
    private func makeReady() throws(SystemError) {
        guard !isReady else {
            return
        }
        for (segment, position) in cuts.sorted(by: { $0.key > $1.key }) {
            do throws(SystemError) {
                try StoredFile(layout.segment(segment), .update, on: fileSystem).truncate(to: position)
            } catch {
                // Retention may have removed a segment that was closed but not synced.
                guard error.code == SystemError.notFound else {
                    throw error
                }
            }
            cuts[segment] = nil
        }
        try resume()
        isReady = true
    }
}
