// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// Copies the beginnings of boots out of a segment that will be removed.
///
/// Early boot output is what people look for, and later chatter is what evicts it. A head is a segment file with the
/// first `StoreLimits.headLength` bytes of a boot, or the whole boot. Heads of boots seen by the transport are kept
/// before those known only by a banner, so that a guest cannot evict them by printing banners.
///
/// A beginning that was doubtful is a boot when a later marker confirms it. When that marker is removed and the head does
/// not contain it, the head's own marker becomes that of the boot.
struct BootHeads {
    let layout: StreamLayout
    let fileSystem: any FileSystem
    let compressor: Compressor

    /// Saves the heads of the boots in `range`, which will be removed, then removes all but the newest heads.
    func save(range: Range<UInt64>, from reader: StreamReader) throws(SystemError) {
        try extendHead(endingAt: range.lowerBound, from: reader, limit: range.upperBound)
        // First determines which heads will stay: a guest can print very many banners.
        let held = try heads()
        let markers = try self.markers(in: range, reader)
        let fresh = try boots(in: range, markers, reader).filter { boot in !held.contains { $0.base == boot.base } }
        let kept = Self.newest(held + fresh)
        for boot in fresh where kept.contains(boot.base) {
            let end = min(boot.base + UInt64(StoreLimits.headLength), range.upperBound)
            try write(from: boot.base, to: end, reader)
        }
        for head in held where !kept.contains(head.base) {
            try fileSystem.remove(layout.head(head.base))
        }
        for boot in markers.map(\.boot) where boot.event.isConfirmation && kept.contains(boot.position) {
            try confirm(boot)
        }
    }

    private struct Head {
        var base: UInt64
        var end: UInt64
        var isByTransport: Bool
    }

    /// The bases of the heads that stay: the newest, those seen by the transport before others.
    private static func newest(_ heads: [Head]) -> Set<UInt64> {
        let ranked = heads.sorted { ($0.isByTransport ? 1 : 0, $0.base) > ($1.isByTransport ? 1 : 0, $1.base) }
        return Set(ranked.prefix(StoreLimits.headsKept).map(\.base))
    }

    /// The boot markers in `range`, in order.
    private func markers(
        in range: Range<UInt64>,
        _ reader: StreamReader
    ) throws(SystemError) -> [(offset: UInt64, boot: BootDetail)] {
        var markers: [(offset: UInt64, boot: BootDetail)] = []
        for summary in try reader.summaries(in: range) where summary.flags.contains(.boot) {
            for record in try reader.records(of: summary) where record.flags.contains(.boot) {
                if let boot = RecordDetail(decoding: record.detail).boot {
                    markers.append((record.offset, boot))
                }
            }
        }
        return markers
    }

    /// How far before its marker a line with a banner may begin. A marker of which the subject is further away confirms a
    /// doubtful beginning.
    private static let longestBanner: UInt64 = 4096
    /// How far behind a doubtful beginning the marker is looked for that confirms it.
    private static let longestDoubt: UInt64 = 64 << 20

    /// The boots that begin in `range`, which has these markers.
    private func boots(
        in range: Range<UInt64>,
        _ markers: [(offset: UInt64, boot: BootDetail)],
        _ reader: StreamReader
    ) throws(SystemError) -> [Head] {
        var boots: [UInt64: Bool] = [:]
        var doubtful: Set<UInt64> = []
        for (offset, boot) in markers where boot.position + Self.longestBanner > range.lowerBound {
            let base = min(max(boot.position, range.lowerBound), offset)
            if boot.event == .doubtful {
                doubtful.insert(base)
            } else {
                boots[base] = boots[base] == true || boot.event.isByTransport
            }
        }
        doubtful.subtract(boots.keys)
        if !doubtful.isEmpty {
            let rest = range.upperBound..<(range.upperBound + Self.longestDoubt)
            for boot in try self.markers(in: rest, reader).map(\.boot)
            where boot.event.isConfirmation && doubtful.contains(boot.position) {
                boots[boot.position] = false
            }
        }
        return boots.filter { $0.key < range.upperBound }
            .map { Head(base: $0.key, end: $0.key, isByTransport: $0.value) }
            .sorted { $0.base < $1.base }
    }

    /// The marker `boot` is removed, which confirms the doubtful beginning of the head at its position: if the head does not
    /// contain it, its own marker becomes that of the boot.
    private func confirm(_ boot: BootDetail) throws(SystemError) {
        let base = boot.position
        guard let file = try SegmentFile.readable(layout.head(base), on: fileSystem),
            let header = file.headers.first, let block = try file.block(header, BlockMemory())
        else {
            return
        }
        let boots = block.records.map { RecordDetail(decoding: $0.detail).boot }
        guard !boots.contains(boot),
            let index = boots.firstIndex(of: BootDetail(event: .doubtful, position: base))
        else {
            return
        }
        var records = block.records
        var detail = RecordDetail(decoding: records[index].detail)
        detail.boot = boot
        records[index].detail = detail.encoded
        try write(Array(block.text), records, base: base)
    }

    /// Extends the head of a boot that continues from the previous segment.
    private func extendHead(
        endingAt end: UInt64,
        from reader: StreamReader,
        limit: UInt64
    ) throws(SystemError) {
        for head in try heads() where head.end == end {
            let missing = UInt64(StoreLimits.headLength) - min(UInt64(StoreLimits.headLength), head.end - head.base)
            if missing > 0 {
                try write(from: head.base, to: min(head.end + missing, limit), reader)
            }
        }
    }

    /// Writes the head that begins at `start`, replacing an existing one.
    private func write(from start: UInt64, to end: UInt64, _ reader: StreamReader) throws(SystemError) {
        var text: [UInt8] = []
        var records: [IndexRecord] = []
        var cursor = Cursor(offset: start)
        while cursor.offset < end, records.count < StoreLimits.recordsLimit, let batch = try reader.batch(at: cursor),
            batch.missing.isEmpty
        {
            for record in batch.block.records[batch.firstRecord...]
            where record.offset < end && records.count < StoreLimits.recordsLimit {
                var part = record
                let from = max(record.offset, cursor.offset)
                part.offset = from
                part.length = UInt32(min(record.end, end) - min(from, record.end))
                let bytes = batch.block.text[Int(from - batch.block.offset)...].prefix(Int(part.length))
                part.lines = UInt16(clamping: bytes.reduce(0) { $0 + ($1 == Lines.feed ? 1 : 0) })
                if part.length > 0 || part.isMarker {
                    records.append(part)
                    text.append(contentsOf: bytes)
                }
            }
            cursor = batch.next
        }
        if !records.isEmpty {
            try write(text, records, base: start)
        }
    }

    private func write(_ text: [UInt8], _ records: [IndexRecord], base: UInt64) throws(SystemError) {
        var out: [UInt8] = []
        let header = text.withUnsafeBytes {
            SealedBlock.append(text: $0, records: records, base: base, compressor, to: &out)
        }
        SegmentIndex.append([header], to: &out)
        try fileSystem.replace(StreamLayout.name(base, StreamLayout.headSuffix), in: layout.path, with: out)
    }

    private func heads() throws(SystemError) -> [Head] {
        var heads: [Head] = []
        let decompressor = Decompressor()
        for extent in try layout.extents(on: fileSystem) where extent.kind == .head {
            guard let file = try SegmentFile.readable(layout.file(extent), on: fileSystem),
                let header = file.headers.first
            else {
                continue
            }
            // The boot that the head is of, not a later one that it also contains.
            let isByTransport = (try file.records(of: header, decompressor) ?? []).contains { record in
                let boot = RecordDetail(decoding: record.detail).boot
                return boot?.event == .powerOn && boot.map { $0.position <= extent.base } == true
            }
            heads.append(Head(base: extent.base, end: header.end, isByTransport: isByTransport))
        }
        return heads
    }
}
