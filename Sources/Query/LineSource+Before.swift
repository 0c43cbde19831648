// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TextFormats

/// The text of a line before one that moves the cursor up to it.
final class LineBefore {
    /// Where the line after it begins.
    let end: UInt64
    private let memory: UnsafeMutableRawBufferPointer

    init(_ text: some Collection<UInt8>, end: UInt64) {
        self.end = end
        memory = .allocate(byteCount: text.count, alignment: 1)
        memory.copyBytes(from: text)
    }

    deinit {
        memory.deallocate()
    }

    var text: UnsafeRawBufferPointer { UnsafeRawBufferPointer(memory) }
}

// What a console's line takes over from the text before it, wherever reading began.
extension LineSource {
    /// The most bytes of a line that the next one is painted behind.
    private static let longestBefore = 4096
    /// How far before the first line its character sets are searched.
    private static let longestDrawing: UInt64 = 1 << 20

    /// Keeps the line before the one that begins at the present offset, if that may move the cursor up.
    func keepLineBefore(_ batch: LoadedBatch) throws {
        let text = batch.block.text
        guard properties.encoding == .raw, text[textOffset] < 0x20,
            DisplayedLine.mayMoveUp(UnsafeRawBufferPointer(rebasing: text[textOffset...]))
        else {
            return
        }
        let end = batch.block.offset + UInt64(textOffset)
        let recent = text[max(0, textOffset - Self.longestBefore - 2)..<textOffset]
        if let feed = recent.dropLast().lastIndex(of: Lines.feed) {
            // Nearly always it is in the same block.
            let isAdjacent =
                recent.last == Lines.feed
                && !OpenLine.hasCut(in: batch.block.offset + UInt64(feed) + 2...end, batch.block)
            before = isAdjacent ? LineBefore(text[(feed + 1)..<(textOffset - 1)], end: end) : nil
        } else {
            let line = try OpenLine.line(endingAt: end, limit: UInt64(Self.longestBefore), reader)
            before = line.map { LineBefore($0, end: end) }
        }
    }

    /// Learns the character sets that the line at `start`, where reading begins with `batch`, begins with. They are known if
    /// it begins behind an LF, and only a row that begins with a move of the cursor takes them over.
    func learnSets(at start: Cursor, _ batch: LoadedBatch) throws {
        let (text, offset) = (batch.block.text, batch.startOffset)
        guard properties.encoding == .raw, start.offset > 0, batch.start == start.offset, offset < text.count,
            [0x1b, 0x0b, 0x0c].contains(text[offset]), offset == 0 || text[offset - 1] != Lines.feed
        else {
            return
        }
        let floor = start.offset - min(start.offset, Self.longestDrawing)
        let begun = try OpenLine.start(before: start.offset, notBefore: floor, reader)
        guard begun < start.offset, begun > floor || floor == 0 else {
            return
        }
        let rows = try LineSource(
            reader,
            properties,
            plan: plan,
            filter: filter.withoutContents.withoutTimes,
            from: Cursor(offset: begun),
            isResumable: false,
            before: start.offset
        )
        while try rows.next() != nil {}
        if rows.carried?.position == start.offset {
            carried = rows.carried
        }
    }
}
