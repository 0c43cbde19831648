// SPDX-License-Identifier: Apache-2.0

import LogModel

/// A block's records as columns of varints: their form in a sealed block, where whole records would take more space
/// than the compressed text.
///
/// Order: time steps (zigzag), lengths, flags, lines, then for each record with a detail its length and bytes. Offsets
/// follow from the lengths. Single records have no checksums, because the block has one.
enum RecordColumns {
    private static let hasDetail: UInt64 = 1 << 12

    static func encode(_ records: [IndexRecord], into out: inout [UInt8]) {
        var previous: Int64 = 0
        for record in records {
            let step = record.time.microseconds &- previous
            out.append(varint: UInt64(bitPattern: (step << 1) ^ (step >> 63)))
            previous = record.time.microseconds
        }
        for record in records {
            out.append(varint: UInt64(record.length))
        }
        for record in records {
            out.append(varint: UInt64(record.flags.rawValue) | (record.detail.isEmpty ? 0 : hasDetail))
        }
        for record in records {
            out.append(varint: UInt64(record.lines))
        }
        for record in records where !record.detail.isEmpty {
            out.append(varint: UInt64(record.detail.count))
            out.append(contentsOf: record.detail)
        }
    }

    /// Decodes the records from `base` on; nil when they are not `count` records with `length` bytes.
    static func decode(
        _ bytes: UnsafeRawBufferPointer,
        base: UInt64,
        count: Int,
        length: Int
    ) -> [IndexRecord]? {
        var reader = ByteReader(bytes)
        var records: [IndexRecord] = []
        records.reserveCapacity(count)
        var time: Int64 = 0
        for _ in 0..<count {
            guard let zigzag = reader.varint() else { return nil }
            time &+= Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1)
            records.append(IndexRecord(offset: base, time: Timestamp(microseconds: time)))
        }
        var total = 0
        for index in 0..<count {
            guard let value = reader.varint(), value <= UInt64(length - total) else { return nil }
            records[index].offset = base + UInt64(total)
            records[index].length = UInt32(value)
            total += Int(value)
        }
        guard total == length else {
            return nil
        }
        var detailed: [Int] = []
        for index in 0..<count {
            guard let value = reader.varint() else { return nil }
            records[index].flags = RecordFlags(rawValue: UInt16(value & (hasDetail - 1)))
            if value & hasDetail != 0 {
                detailed.append(index)
            }
        }
        for index in 0..<count {
            guard let value = reader.varint() else { return nil }
            records[index].lines = UInt16(truncatingIfNeeded: value)
        }
        for index in detailed {
            guard let size = reader.varint(), let detail = reader.take(Int(clamping: size)) else { return nil }
            records[index].detail = Array(detail)
        }
        return records
    }
}
