// SPDX-License-Identifier: Apache-2.0

import CLinux
import LogModel
import SystemIO

/// An active pair, for reading: the text as received, and the index records, which determine how much of it is
/// committed.
final class PairFile {
    let base: UInt64
    private let log: StoredFile
    private let index: StoredFile
    private(set) var records: [IndexRecord] = []
    private var indexRead = 0
    private(set) var committedLength = 0

    init(_ layout: StreamLayout, base: UInt64, fileSystem: any FileSystem) throws(SystemError) {
        self.base = base
        log = try StoredFile(layout.log(base), .read, on: fileSystem)
        index = try StoredFile(layout.index(base), .read, on: fileSystem)
        try refresh()
    }

    var end: UInt64 { base + UInt64(committedLength) }

    var trailingMarkers: Int { records.reversed().prefix { $0.isMarker && $0.offset == end }.count }

    /// Reads new records; returns whether there were any.
    ///
    /// Stops, without error, at the first record that is torn or does not continue the one before: a writer will
    /// complete it, recovery will cut it. An index that became shorter was repaired, and is read again.
    @discardableResult
    func refresh() throws(SystemError) -> Bool {
        let size = try index.size
        guard size != indexRead else {
            return false
        }
        if size < indexRead {
            records = []
            indexRead = 0
            committedLength = 0
        }
        let before = records.count
        let fresh = try index.read(at: indexRead, count: min(size - indexRead, Self.indexLimit))
        fresh.withUnsafeBytes { bytes in
            var at = 0
            while let (record, size) = IndexRecord.decode(UnsafeRawBufferPointer(rebasing: bytes[at...])),
                record.offset == end, committedLength + Int(record.length) <= StoreLimits.blockLimit,
                records.count < StoreLimits.recordsLimit
            {
                records.append(record)
                committedLength += Int(record.length)
                at += size
            }
            indexRead += at
        }
        return records.count > before
    }

    /// More than a full pair's index.
    static let indexLimit = StoreLimits.recordsLimit * IndexRecord.unitSize * (1 + IndexRecord.maximumDetailUnits)

    /// The records from index `firstRecord` on, with their text, up to the first whose bytes do not match its checksum;
    /// nil when that is the first.
    func block(from firstRecord: Int, _ memory: BlockMemory) throws(SystemError) -> Block? {
        let start = firstRecord < records.count ? records[firstRecord].offset : end
        let storage = memory.storage(for: Int(end - start))
        let target = UnsafeMutableRawBufferPointer(rebasing: storage.bytes[..<Int(end - start)])
        let available = try log.read(at: Int(start - base), into: target)
        var intact = firstRecord
        var length = 0
        while intact < records.count {
            let record = records[intact]
            let stop = length + Int(record.length)
            guard stop <= available,
                gl_crc32c(0, target.baseAddress.map { $0 + length }, Int(record.length)) == record.checksum
            else {
                break
            }
            length = stop
            intact += 1
        }
        guard intact > firstRecord || firstRecord == records.count else {
            return nil
        }
        let slice = Array(records[firstRecord..<intact])
        return Block(offset: start, storage: storage, length: length) { slice }
    }
}
