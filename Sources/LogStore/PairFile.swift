// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel
import SystemIO

/// An active pair, for reading: the text as received, and the index records, which determine how much of it is
/// committed.
final class PairFile {
    let base: UInt64
    private let log: StoredFile
    private let index: StoredFile
    private(set) var records: [IndexRecord] = []
    /// The indexes of the records with which its blocks begin.
    private var blockStarts: [Int] = []
    private var cut = BlockCut()
    private var indexRead = 0
    private(set) var committedLength = 0

    init(_ layout: StreamLayout, base: UInt64, fileSystem: any FileSystem) throws(SystemError) {
        self.base = base
        log = try StoredFile(layout.log(base), .read, on: fileSystem)
        index = try StoredFile(layout.index(base), .read, on: fileSystem)
        try refresh()
    }

    var end: UInt64 { base + UInt64(committedLength) }

    /// The records of its blocks, as indexes, in order.
    var blocks: [Range<Int>] {
        zip(blockStarts, blockStarts.dropFirst() + [records.count]).map { $0..<$1 }
    }

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
            blockStarts = []
            cut = BlockCut()
            indexRead = 0
            committedLength = 0
        }
        let before = records.count
        // In parts: what follows the records may be a hole of any size.
        while indexRead < size, accept(try index.read(at: indexRead, count: min(size - indexRead, Self.indexPart))) {}
        return records.count > before
    }

    /// Adds the records at the beginning of `fresh`, which follows what was read; returns whether there are any.
    private func accept(_ fresh: [UInt8]) -> Bool {
        fresh.withUnsafeBytes { bytes in
            var offset = 0
            while let (record, size) = IndexRecord.decode(UnsafeRawBufferPointer(rebasing: bytes[offset...])),
                record.offset == end, committedLength + Int(record.length) <= StoreLimits.pairLimit,
                records.count < StoreLimits.recordsLimit
            {
                if cut.begins(with: record) || records.isEmpty {
                    blockStarts.append(records.count)
                }
                records.append(record)
                committedLength += Int(record.length)
                offset += size
            }
            indexRead += offset
            return offset > 0
        }
    }

    /// The bytes of an index that are read at once: 8,192 records.
    private static let indexPart = StoreLimits.recordsPerPair * IndexRecord.unitSize
    /// More than a full pair's index.
    static let indexLimit = StoreLimits.recordsLimit * IndexRecord.unitSize * (1 + IndexRecord.maximumDetailUnits)

    /// These records of one block, with their text, up to the first whose bytes do not match its checksum; nil when that
    /// is the first.
    func block(of range: Range<Int>, _ memory: BlockMemory) throws(SystemError) -> Block? {
        guard let first = records[range].first, let last = records[range].last else {
            return nil
        }
        let count = Int(last.end - first.offset)
        let storage = memory.storage(for: count)
        let target = UnsafeMutableRawBufferPointer(rebasing: storage.bytes[..<count])
        let available = try log.read(at: Int(first.offset - base), into: target)
        var intact = range.lowerBound
        var length = 0
        while intact < range.upperBound {
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
        guard intact > range.lowerBound else {
            return nil
        }
        let slice = Array(records[range.lowerBound..<intact])
        return Block(offset: first.offset, storage: storage, length: length) { slice }
    }
}
