// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel
import SystemIO

/// The contents of a pair after repair: whole records over whole, verified bytes, and nothing beyond.
struct RepairedPair {
    var base: UInt64
    var dataLength = 0
    var indexLength = 0
    var recordCount = 0
    var lastTime: Timestamp?
    var endsMidLine = false
    /// Markers after the last byte; without a byte, those at the end of the previous block too.
    var markersAtEnd = 0
    var source = SourcePosition()
    /// The last block.
    var block = BlockCut()
    /// Whether committed data was damaged: positions after `end` may have been assigned to lost bytes.
    var isDamaged = false
    /// Bytes known to be lost.
    var lost = 0

    var end: UInt64 { base + UInt64(dataLength) }

    mutating func accept(_ record: IndexRecord) {
        let detail = record.detail.isEmpty ? nil : RecordDetail(decoding: record.detail)
        if record.isMarker {
            markersAtEnd += 1 + (recordCount == 0 ? detail?.markersBefore ?? 0 : 0)
        } else {
            markersAtEnd = 0
        }
        recordCount += 1
        indexLength += record.encodedSize
        dataLength += Int(record.length)
        _ = block.begins(with: record)
        lastTime = max(lastTime ?? record.time, record.time)
        source.accept(detail, length: Int(record.length))
    }
}

/// Repairs a pair after a crash.
///
/// Data is written before its index record, so after a crash of the process alone there is at most text without a
/// record: a live stream keeps it, marked `recovered`; a replayable one cuts it, because its source will be read again.
/// After a crash of the host anything unsynced may be missing, torn or zero. Then:
/// - the index is cut at the first record that is torn, does not continue the one before, or whose bytes do not match
///   their checksum;
/// - text beyond such bytes is moved to quarantine, unless it is all NUL;
/// - text without a record is kept up to its first NUL only: a block that was never written reads as zeros.
///
/// Every step is idempotent: after a crash during repair the pair is repaired to the same result.
struct PairRepair {
    let layout: StreamLayout
    let fileSystem: any FileSystem
    let isReplayable: Bool
    /// Whether the host, not only the process, crashed while the pair was written.
    let hostDied: Bool

    /// Repairs the pair at `base`; bytes from `limit` (the next extent's base) on are cut.
    func repair(_ base: UInt64, limit: UInt64?) throws(SystemError) -> RepairedPair {
        let log = try StoredFile(layout.log(base), .create, on: fileSystem)
        let index = try StoredFile(layout.index(base), .create, on: fileSystem)
        let logSize = try log.size
        let indexSize = try index.size
        let ceiling = min(StoreLimits.pairLimit, Int(clamping: (limit ?? .max) - base))
        let text = try log.read(at: 0, count: min(logSize, ceiling))
        let (found, hasFailedBytes) = try accepted(base, text, index, limit: limit)
        var pair = found
        let tail = text[pair.dataLength...]
        if hasFailedBytes {
            pair.lost = max(pair.lost, tail.count)
            quarantine(tail, at: pair.end)
        }
        let isTooLong = logSize > ceiling && limit == nil
        let keepsTail = !hasFailedBytes && !isReplayable
        let kept = keepsTail ? (hostDied || isTooLong ? tail.prefix { $0 != 0 } : tail) : []
        if isTooLong {
            // The pair exceeds the limits, so the writer has not created it.
            pair.isDamaged = true
        }
        // Text before index: a crash in between must not leave invalid bytes without a record, which would be kept.
        try cut(log, from: logSize, to: pair.dataLength + kept.count)
        try cut(index, from: indexSize, to: pair.indexLength)
        let added = recovered(kept, of: text, pair)
        if !added.isEmpty {
            var encoded: [UInt8] = []
            for record in added {
                record.encode(into: &encoded)
            }
            try index.write(at: pair.indexLength, encoded)
            added.forEach { pair.accept($0) }
        }
        pair.endsMidLine = pair.dataLength > 0 && text[pair.dataLength - 1] != Lines.feed
        return pair
    }

    private func cut(_ file: StoredFile, from size: Int, to length: Int) throws(SystemError) {
        if size > length {
            try file.truncate(to: length)
        }
    }

    /// The valid prefix of the index whose bytes match, and whether it ended because of a mismatch.
    private func accepted(
        _ base: UInt64,
        _ text: [UInt8],
        _ index: StoredFile,
        limit: UInt64?
    ) throws(SystemError) -> (RepairedPair, hasFailedBytes: Bool) {
        let units = try index.read(at: 0, count: min(try index.size, PairFile.indexLimit))
        var pair = RepairedPair(base: base)
        var hasFailedBytes = false
        units.withUnsafeBytes { bytes in
            while pair.indexLength < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[pair.indexLength...])
                guard let (record, _) = IndexRecord.decode(rest), record.offset == pair.end,
                    record.end <= limit ?? .max, pair.recordCount < StoreLimits.recordsLimit,
                    pair.dataLength + Int(record.length) <= StoreLimits.pairLimit
                else {
                    // A torn record is shorter than its length; a whole, invalid one was damaged.
                    pair.isDamaged = IndexRecord.isWhole(rest)
                    return
                }
                let claimed = pair.dataLength + Int(record.length)
                guard claimed <= text.count, checksum(text, pair.dataLength..<claimed) == record.checksum else {
                    pair.isDamaged = true
                    pair.lost = Int(record.length)
                    hasFailedBytes = true
                    return
                }
                pair.accept(record)
            }
        }
        return (pair, hasFailedBytes)
    }

    private func checksum(_ text: [UInt8], _ range: Range<Int>) -> UInt32 {
        text.withUnsafeBytes { bytes in
            gl_crc32c(0, bytes.baseAddress.map { $0 + range.lowerBound }, range.count)
        }
    }

    /// Records for text that was written and not recorded. Their time is the log's modification time, when the last of
    /// it was received, but not before that of the previous record.
    private func recovered(_ kept: ArraySlice<UInt8>, of text: [UInt8], _ pair: RepairedPair) -> [IndexRecord] {
        let modified = Timestamp(microseconds: fileSystem.status(layout.log(pair.base))?.modifiedMicroseconds ?? 0)
        let time = max(pair.lastTime ?? modified, modified)
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
                    offset: pair.base + UInt64(start),
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

    /// Keeps damaged bytes for inspection, within `StoreLimits.quarantineLimit`. Best effort: a failure must not
    /// prevent writing.
    private func quarantine(_ bytes: ArraySlice<UInt8>, at offset: UInt64) {
        guard bytes.contains(where: { $0 != 0 }) else {
            return
        }
        try? fileSystem.makeDirectory(layout.quarantine)
        var held: [(name: String, size: Int)] = []
        for name in (try? fileSystem.names(in: layout.quarantine).sorted()) ?? [] {
            held.append((name, fileSystem.status(layout.quarantine + "/" + name)?.size ?? 0))
        }
        var total = held.reduce(bytes.count) { $0 + $1.size }
        for old in held where total > StoreLimits.quarantineLimit {
            try? fileSystem.remove(layout.quarantine + "/" + old.name)
            total -= old.size
        }
        let file = try? StoredFile(layout.quarantine + "/" + StreamLayout.name(offset, ".bad"), .create, on: fileSystem)
        try? file?.truncate(to: 0)
        try? file?.write(at: 0, Array(bytes))
    }
}
