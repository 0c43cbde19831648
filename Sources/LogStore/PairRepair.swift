import CLinux
import LogModel
import SystemIO

/// What a pair holds after repair: whole records over whole, checked bytes, and nothing beyond.
struct RepairedPair {
    var base: UInt64
    var dataLength = 0
    var indexLength = 0
    var recordCount = 0
    var lastTime: Timestamp?
    var endsMidLine = false
    /// The last source position that a record carries.
    var source: [UInt8]?

    var end: UInt64 { base + UInt64(dataLength) }

    mutating func accept(_ record: IndexRecord) {
        recordCount += 1
        indexLength += record.encodedSize
        dataLength += Int(record.length)
        lastTime = max(lastTime ?? record.time, record.time)
        if !record.detail.isEmpty, let position = RecordDetail(decoding: record.detail).source {
            source = position
        }
    }
}

/// Makes a pair whole again after a crash.
///
/// Data is written before its index record, so after the death of the process alone there is at most text without a
/// record: a live stream keeps it, marked `recovered`; a replayable one cuts it, for its source will be read again.
/// After the death of the host anything unsynced may be missing, torn or zero. Then:
/// - the index is cut at the first record that is torn, does not continue the one before, or whose bytes fail their
///   checksum;
/// - what text lies beyond goes to quarantine, unless it is all NUL, and a gap marker counts it;
/// - text without a record is kept up to its first NUL only: a block that was never written reads as zeros.
struct PairRepair {
    let layout: StreamLayout
    let fileSystem: any FileSystem
    let isReplayable: Bool
    /// Whether the host, not only the process, died while the pair was written.
    let hostDied: Bool

    /// Repairs the pair at `base`; bytes at or after `limit` (the next extent's base) are cut.
    func repair(_ base: UInt64, limit: UInt64?) throws(SystemError) -> RepairedPair {
        let log = try StoredFile(layout.log(base), .create, on: fileSystem)
        let index = try StoredFile(layout.index(base), .create, on: fileSystem)
        let text = try log.read(at: 0, count: try log.size)
        let units = try index.read(at: 0, count: try index.size)
        var pair = RepairedPair(base: base)
        var claimed = 0
        var isDamaged = false
        units.withUnsafeBytes { bytes in
            while let (record, _) = IndexRecord.decode(UnsafeRawBufferPointer(rebasing: bytes[pair.indexLength...])),
                record.offset == pair.end, record.end <= limit ?? .max
            {
                claimed = pair.dataLength + Int(record.length)
                guard claimed <= text.count, checksum(text, pair.dataLength..<claimed) == record.checksum else {
                    isDamaged = true
                    break
                }
                pair.accept(record)
            }
        }
        let modified = Timestamp(microseconds: fileSystem.status(layout.log(base))?.modified ?? 0)
        let ceiling = min(text.count, Int(clamping: (limit ?? .max) - base))
        let tail = text[pair.dataLength..<max(pair.dataLength, ceiling)]
        var added: [IndexRecord] = []
        if isDamaged {
            let lost = max(tail.count, claimed - pair.dataLength)
            try quarantine(tail, at: pair.end)
            added = [corruptionMarker(at: pair.end, bytes: lost, time: max(pair.lastTime ?? modified, modified))]
        } else if !isReplayable {
            let kept = hostDied ? tail.prefix { $0 != 0 } : tail
            added = recovered(
                kept,
                at: pair.end,
                time: max(pair.lastTime ?? modified, modified),
                text: text,
                pair: pair
            )
        }
        if units.count > pair.indexLength {
            try index.truncate(to: pair.indexLength)
        }
        if !added.isEmpty {
            var encoded: [UInt8] = []
            for record in added {
                record.encode(into: &encoded)
            }
            try index.write(at: pair.indexLength, encoded)
            added.forEach { pair.accept($0) }
        }
        if text.count > pair.dataLength {
            try log.truncate(to: pair.dataLength)
        }
        pair.endsMidLine = pair.dataLength > 0 && text[pair.dataLength - 1] != Lines.feed
        return pair
    }

    private func checksum(_ text: [UInt8], _ range: Range<Int>) -> UInt32 {
        text.withUnsafeBytes { bytes in
            gl_crc32c(0, bytes.baseAddress.map { $0 + range.lowerBound }, range.count)
        }
    }

    private func corruptionMarker(at offset: UInt64, bytes: Int, time: Timestamp) -> IndexRecord {
        let gap = GapDetail(reason: .corruption, bytes: UInt64(bytes), lines: 0, since: time, isClosed: true)
        return IndexRecord(offset: offset, time: time, flags: .gap, detail: RecordDetail(gap: gap).encoded)
    }

    /// Records for text that was written but not yet recorded.
    private func recovered(
        _ kept: ArraySlice<UInt8>,
        at offset: UInt64,
        time: Timestamp,
        text: [UInt8],
        pair: RepairedPair
    ) -> [IndexRecord] {
        var records: [IndexRecord] = []
        var start = kept.startIndex
        while start < kept.endIndex {
            let end = min(kept.endIndex, start + StoreLimits.linesPerRecord)
            var flags: RecordFlags = .recovered
            if start > 0, text[start - 1] != Lines.feed {
                flags.insert(.startsMidLine)
            }
            let lines = kept[start..<end].reduce(0) { $0 + ($1 == Lines.feed ? 1 : 0) }
            records.append(
                IndexRecord(
                    offset: offset + UInt64(start - kept.startIndex),
                    time: time,
                    length: UInt32(end - start),
                    flags: flags,
                    lines: UInt16(lines),
                    checksum: checksum(text, start..<end)
                )
            )
            start = end
        }
        return records
    }

    /// Keeps damaged bytes for whoever wants to look at them, within `StoreLimits.quarantineLimit`.
    private func quarantine(_ bytes: ArraySlice<UInt8>, at offset: UInt64) throws(SystemError) {
        guard bytes.contains(where: { $0 != 0 }) else {
            return
        }
        try fileSystem.makeDirectory(layout.quarantine)
        var held: [(name: String, size: Int)] = []
        for name in try fileSystem.names(in: layout.quarantine).sorted() {
            held.append((name, fileSystem.status(layout.quarantine + "/" + name)?.size ?? 0))
        }
        var total = held.reduce(bytes.count) { $0 + $1.size }
        for old in held where total > StoreLimits.quarantineLimit {
            try fileSystem.remove(layout.quarantine + "/" + old.name)
            total -= old.size
        }
        let path = layout.quarantine + "/" + StreamLayout.name(offset, ".bad")
        try StoredFile(path, .create, on: fileSystem).write(at: 0, Array(bytes))
    }
}
