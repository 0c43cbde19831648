// SPDX-License-Identifier: Apache-2.0

import CLinux
import LogModel
import LogStore

/// Finds the beginning of the line that continues at a position, by reading backwards.
enum OpenLine {
    /// The first byte of the line with the byte before `position`; `position` itself when no line is unfinished there.
    /// Lines that began before `floor` are treated as beginning at it.
    static func start(before position: UInt64, notBefore floor: UInt64, _ reader: StreamReader) throws -> UInt64 {
        var at = position
        while at > floor {
            guard let batch = try reader.batch(at: Cursor(offset: at - 1)), batch.start == at - 1 else {
                // A hole: whatever follows it begins a line.
                return at
            }
            let block = batch.block
            let window = max(block.offset, floor)
            let cut = block.records.last { record in
                record.isMarker && record.offset <= at && record.offset >= window && Self.cuts(record)
            }?.offset
            let from = max(window, cut ?? window)
            let text = UnsafeRawBufferPointer(
                rebasing: block.text[Int(from - block.offset)..<Int(at - block.offset)]
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
            at = window
        }
        return max(at, floor)
    }

    private static func cuts(_ record: IndexRecord) -> Bool {
        record.flags.contains(.gap)
            || RecordDetail(decoding: record.detail).boot?.endsLine(at: record.offset) ?? false
    }
}
