import CLinux
import LogModel
import SystemIO

/// Turns one stream's closed pairs into sealed blocks. Owned by one thread, the sealer's.
///
/// A pair is removed only after the segment that holds its block was synced. When a sync fails nothing is taken for
/// done: every block since the last good one is cut off and sealed again from its pair.
final class StreamSealer {
    private let layout: StreamLayout
    private let fileSystem: any FileSystem
    private let compressor: Compressor
    /// A segment is closed at this size even before it has all its blocks, so that a small quota can be kept.
    var segmentLimit: Int
    private var growing: Growing?
    private var unsynced: [Unsynced] = []

    private struct Growing {
        let base: UInt64
        let file: StoredFile
        var headers: [BlockHeader]
        var length: Int
    }

    private struct Unsynced {
        var pair: UInt64
        var segment: UInt64
        var position: Int
    }

    init(
        layout: StreamLayout,
        fileSystem: any FileSystem,
        compressor: Compressor,
        segmentLimit: Int
    ) throws(SystemError) {
        self.segmentLimit = segmentLimit
        self.layout = layout
        self.fileSystem = fileSystem
        self.compressor = compressor
        try resume()
    }

    /// Goes on with the last segment, when it is not closed.
    private func resume() throws(SystemError) {
        growing = nil
        guard let last = try layout.extents(on: fileSystem).last(where: { $0.kind == .segment }) else {
            return
        }
        let path = layout.file(last)
        let segment = try SegmentFile(path: path, fileSystem: fileSystem)
        if !segment.isClosed, !segment.headers.isEmpty {
            let file = try StoredFile(path, .update, on: fileSystem)
            growing = Growing(base: last.base, file: file, headers: segment.headers, length: segment.length)
        }
    }

    /// Whether blocks wait for a sync.
    var isDirty: Bool { !unsynced.isEmpty }

    /// Seals the pair at `base`: one skippable frame and one zstd frame, in one write.
    func seal(_ base: UInt64, _ memory: inout BlockMemory) throws(SystemError) {
        if unsynced.contains(where: { $0.pair == base }) {
            return
        }
        var pair = try PairFile(layout, base: base, fileSystem: fileSystem)
        if !(try pair.isSound(&memory)) {
            _ = try PairRepair(layout: layout, fileSystem: fileSystem, isReplayable: true, hostDied: true)
                .repair(base, limit: nil)
            pair = try PairFile(layout, base: base, fileSystem: fileSystem)
        }
        guard let block = try pair.block(from: 0, &memory), !pair.records.isEmpty else {
            return
        }
        if growing == nil {
            let file = try StoredFile(layout.segment(base), .create, on: fileSystem)
            try file.truncate(to: 0)
            growing = Growing(base: base, file: file, headers: [], length: 0)
        }
        var out: [UInt8] = []
        var header = SealedBlock.append(text: block.text, records: pair.records, base: base, compressor, to: &out)
        header.position = growing!.length
        do {
            try growing!.file.write(at: header.position, out)
        } catch {
            try? growing!.file.truncate(to: header.position)
            throw error
        }
        growing!.headers.append(header)
        growing!.length = header.nextPosition
        unsynced.append(Unsynced(pair: base, segment: growing!.base, position: header.position))
        if growing!.headers.count == StoreLimits.blocksPerSegment || growing!.length >= segmentLimit {
            try finish()
        }
    }

    /// Closes the growing segment: from now on it never changes.
    private func finish() throws(SystemError) {
        guard let segment = growing else {
            return
        }
        var out: [UInt8] = []
        SegmentIndex.append(segment.headers, to: &out)
        do {
            try segment.file.write(at: segment.length, out)
        } catch {
            try? segment.file.truncate(to: segment.length)
            throw error
        }
        growing = nil
        // The latest time within, so that readers can pass over old segments without opening them.
        let latest = segment.headers.lazy.map { max($0.timeRange.upperBound, $0.ownTime?.upperBound ?? .distantPast) }
        if let latest = latest.max() {
            try? fileSystem.setModified(layout.segment(segment.base), latest.microseconds)
        }
    }

    /// The blocks written so far are on disk: their pairs go.
    func confirmSync() throws(SystemError) {
        for block in unsynced {
            try fileSystem.remove(layout.log(block.pair))
            try fileSystem.remove(layout.index(block.pair))
        }
        unsynced.removeAll()
    }

    /// The blocks written since the last good sync may not be on disk, and the kernel has forgotten which: they are cut
    /// off. Returns their pairs, to be sealed again.
    func revertUnsynced() throws(SystemError) -> [UInt64] {
        let pairs = unsynced.map(\.pair)
        let firstPositions = Dictionary(unsynced.map { ($0.segment, $0.position) }) { min($0, $1) }
        unsynced.removeAll()
        growing = nil
        for (segment, position) in firstPositions {
            if position == 0 {
                try fileSystem.remove(layout.segment(segment))
            } else {
                try StoredFile(layout.segment(segment), .update, on: fileSystem).truncate(to: position)
            }
        }
        try resume()
        return pairs
    }
}

/// The form of a sealed block, for the sealer and for boot heads.
enum SealedBlock {
    /// Appends the block's two frames to `out`; the header's `position` is the caller's to set.
    static func append(
        text: UnsafeRawBufferPointer,
        records: [IndexRecord],
        base: UInt64,
        _ compressor: Compressor,
        to out: inout [UInt8]
    ) -> BlockHeader {
        let start = out.count
        var frame: [UInt8] = []
        let checksum = gl_crc32c(0, text.baseAddress, text.count)
        var header = BlockHeader(records: records, base: base, rawLength: text.count, checksum: checksum)
        header.frameLength = UInt32(compressor.append(text, to: &frame))
        var columns: [UInt8] = []
        RecordColumns.encode(records, into: &columns)
        header.columnsLength = UInt32(columns.count)
        var packed: [UInt8] = []
        _ = columns.withUnsafeBytes { compressor.append($0, to: &packed) }
        header.columnsCompressed = packed.count < columns.count
        SkippableFrame.append(tag: BlockHeader.tag, to: &out) { body in
            header.encodeFields(into: &body)
            body.append(contentsOf: header.columnsCompressed ? packed : columns)
        }
        header.payloadLength = out.count - start - SkippableFrame.headerSize
        out.append(contentsOf: frame)
        return header
    }
}
