// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel
import LogStore

/// Finds the beginning of the line that continues at a position, by reading backwards.
enum OpenLine {
    /// The first byte of the line with the byte before `position`; `position` itself when no line is unfinished there.
    /// Lines that began before `floor` are treated as beginning at it.
    static func start(before position: UInt64, notBefore floor: UInt64, _ reader: StreamReader) throws -> UInt64 {
        var offset = position
        while offset > floor {
            guard let (block, begins) = try block(withByteBefore: offset, reader) else {
                // A hole: whatever follows it begins a line.
                return offset
            }
            let window = max(block.offset, floor)
            let inside = block.records.last { record in
                record.isMarker && record.offset <= offset && record.offset >= window && Self.cuts(record)
            }?.offset
            let cut = inside ?? (begins ? offset - 1 : nil)
            let from = max(window, cut ?? window)
            let text = UnsafeRawBufferPointer(
                rebasing: block.text[Int(from - block.offset)..<Int(offset - block.offset)]
            )
            if let base = text.baseAddress, let feed = gl_memrchr(base, Int32(Lines.feed), text.count) {
                return from + UInt64(UnsafeRawPointer(feed) - base) + 1
            }
            if cut != nil {
                return from
            }
            let first = block.records.first { !$0.isMarker && $0.end > window }
            if let first, first.offset == window, !first.flags.contains(.startsMidLine) {
                return window
            }
            offset = window
        }
        return max(offset, floor)
    }

    /// The line before the one that begins at `position`, without its LF; nil when a line does not end there, when it is
    /// longer than `limit` bytes, or when bytes are missing in between.
    static func line(endingAt position: UInt64, limit: UInt64, _ reader: StreamReader) throws -> [UInt8]? {
        guard position > 0 else {
            return nil
        }
        let floor = position - min(position, limit + 2)
        let begun = try start(before: position - 1, notBefore: floor, reader)
        guard begun > floor || floor == 0 else {
            return nil
        }
        var bytes: [UInt8] = []
        var cursor = Cursor(offset: begun)
        while cursor.offset < position {
            guard let batch = try reader.batch(at: cursor), batch.start == cursor.offset,
                !hasCut(in: position...position, batch.block)
            else {
                return nil
            }
            let end = min(batch.block.end, position)
            bytes += batch.block.text[Int(batch.start - batch.block.offset)..<Int(end - batch.block.offset)]
            cursor = batch.next
        }
        return bytes.popLast() == Lines.feed ? bytes : nil
    }

    /// Whether a marker at one of the positions ends a line.
    static func hasCut(in positions: ClosedRange<UInt64>, _ block: Block) -> Bool {
        block.records.contains { $0.isMarker && positions.contains($0.offset) && cuts($0) }
    }

    /// The block with the byte before `position`, and whether a marker that ends the block before it begins a line with
    /// that byte; nil in a hole.
    private static func block(
        withByteBefore position: UInt64,
        _ reader: StreamReader
    ) throws -> (block: Block, begins: Bool)? {
        var cursor = Cursor(offset: position - 1)
        var begins = false
        while let batch = try reader.batch(at: cursor), batch.start == cursor.offset {
            if batch.block.end >= position {
                return (batch.block, begins)
            }
            begins = begins || batch.block.records[batch.firstRecord...].contains(where: cuts)
            cursor = batch.next
        }
        return nil
    }

    private static func cuts(_ record: IndexRecord) -> Bool {
        record.flags.contains(.gap)
            || RecordDetail(decoding: record.detail).boot?.endsLine(at: record.offset) ?? false
    }
}
