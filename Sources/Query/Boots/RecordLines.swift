// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel
import LogStore
import TextFormats

/// A line of a stream of records in a block. Its bytes are valid as long as the block, which it keeps.
struct RecordLine {
    let block: Block
    let offset: UInt64
    /// Without its end.
    let bytes: UnsafeRawBufferPointer
    /// When the host received it.
    let received: Timestamp

    /// The record's own time; nil when it has none.
    var ownTime: Timestamp? { StructuredRecord.time(in: bytes) }

    /// The index of the first byte of `text` in it.
    func firstOffset(of text: [UInt8]) -> Int? {
        guard let base = bytes.baseAddress else {
            return nil
        }
        return text.withUnsafeBytes { text in
            gl_memmem(base, bytes.count, text.baseAddress, text.count).map { $0 - UnsafeRawPointer(base) }
        }
    }

    func contains(_ text: [UInt8]) -> Bool { firstOffset(of: text) != nil }
}

/// The lines of a batch of a stream of records, from its first byte on.
struct RecordLines: Sequence, IteratorProtocol {
    private let block: Block
    private let records: [IndexRecord]
    private var record = 0
    private var textOffset: Int

    init(_ batch: Batch) {
        block = batch.block
        records = batch.block.records
        textOffset = Int(batch.start - batch.block.offset)
    }

    mutating func next() -> RecordLine? {
        let text = block.text
        guard textOffset < text.count else {
            return nil
        }
        let end = Lines.firstFeed(in: text, from: textOffset) ?? text.count
        defer { textOffset = end + 1 }
        let offset = block.offset + UInt64(textOffset)
        while record < records.count, records[record].end <= offset {
            record += 1
        }
        return RecordLine(
            block: block,
            offset: offset,
            bytes: UnsafeRawBufferPointer(rebasing: text[textOffset..<end]),
            received: record < records.count ? records[record].time : .distantPast
        )
    }
}
