// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

// Skipping text that a search need not read.
extension StreamReader {
    /// Text that was skipped.
    public struct SkippedText {
        /// Where reading continues: the end of a segment, or the beginning of a block with markers.
        public let end: UInt64
        /// The latest time of what was skipped.
        public let latest: Timestamp
    }

    /// The text from `cursor` on, where a line begins, that certainly has no line with `word`, no marker and no gap; nil
    /// when that is not known of the block there. With `excludesArrays`, it has no JSON value that is an array either.
    public func skippedText(
        from cursor: Cursor,
        lacking word: SearchWord,
        excludesArrays: Bool
    ) throws(SystemError) -> SkippedText? {
        let (ending, holding) = try files.blocks(at: cursor.offset)
        guard case .sealed(let file, let header)? = holding.first,
            !ending.contains(where: { $0.trailingMarkers > cursor.markers }), let filter = try file.filter(),
            !filter.mayContain(word), !(excludesArrays && filter.hasArrays),
            let index = file.headers.firstIndex(of: header)
        else {
            return nil
        }
        var skipped: SkippedText?
        for block in file.headers[index...] {
            guard block.flags.isDisjoint(with: .markers), block.trailingMarkers == 0,
                skipped == nil || skipped?.end == block.offset
            else {
                break
            }
            skipped = SkippedText(end: block.end, latest: max(skipped?.latest ?? .distantPast, block.latest))
        }
        return skipped
    }
}

extension BlockHeader {
    /// The latest of its times.
    fileprivate var latest: Timestamp { max(timeRange.upperBound, ownTime?.upperBound ?? .distantPast) }
}
