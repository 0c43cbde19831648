// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Cuts a pair's records into blocks, so that the writer, the sealer and readers agree on them.
///
/// A block ends at the first end of a line from `StoreLimits.blockTarget` bytes on, and before the record with which it
/// would have more than `StoreLimits.blockLimit`. It begins with text, unless it is the pair's first: markers belong to
/// the text before them.
struct BlockCut {
    /// Bytes of text in the block so far.
    private(set) var length = 0

    /// Whether the block must end, given whether its last line has no end yet.
    func isFull(endsMidLine: Bool) -> Bool {
        length >= StoreLimits.blockLimit || (length >= StoreLimits.blockTarget && !endsMidLine)
    }

    /// Accepts the next record; returns whether a new block begins with it.
    mutating func begins(with record: IndexRecord) -> Bool {
        guard !record.isMarker else {
            return false
        }
        let isNew =
            isFull(endsMidLine: record.flags.contains(.startsMidLine))
            || length + Int(record.length) > StoreLimits.blockLimit
        length = Int(record.length) + (isNew ? 0 : length)
        return isNew
    }

    /// The bytes of text to which the next record can be added; a full block is followed by a new one.
    func used(endsMidLine: Bool) -> Int { isFull(endsMidLine: endsMidLine) ? 0 : length }
}
