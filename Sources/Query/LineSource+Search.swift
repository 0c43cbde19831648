// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel
import LogStore
import TextFormats

// How text without a match is passed over: whole segments by their filters, and lines by a search for the literal.
extension LineSource {
    /// Passes over segments in which no line can match, without decoding them.
    func passOver() throws {
        guard let word else {
            return
        }
        let excludesArrays = properties.encoding == .json
        while let passed = try reader.skippedText(from: position, lacking: word, excludesArrays: excludesArrays),
            passed.end <= bound?.offset ?? .max
        {
            // A line that begins before the limit ends in the same segment.
            let end = min(passed.end, limit)
            guard end > position.offset else {
                return
            }
            position = Cursor(offset: end)
            hasLeapt = true
            lastTime = max(lastTime, passed.latest)
            if passed.latest <= filter.until {
                leaptTo = end
            }
            try filter.checkBlock()
        }
    }

    /// After skipped blocks the batch may begin inside a line: then reading goes back to its beginning, because where it
    /// ends and how old it is depends on it. Returns whether it does.
    func resolveLeap(_ loaded: LoadedBatch) throws -> Bool {
        guard loaded.startsMidLine else {
            return false
        }
        let begun = try OpenLine.start(before: loaded.start, notBefore: floor, reader)
        guard begun < loaded.start else {
            return false
        }
        position = Cursor(offset: begun)
        skipsFrom = loaded.start
        leaptTo = min(leaptTo, begun)
        pass(to: leaptTo)
        latestBeforeBatch = try plan.latestTime(before: position, reader)
        return true
    }

    /// At the end of the stream, moves the cursor past skipped blocks, up to a line that is not finished.
    func passLeap() throws {
        if hasLeapt, leaptTo > cursor.offset {
            pass(to: min(leaptTo, try OpenLine.start(before: leaptTo, notBefore: floor, reader)))
            leaptTo = 0
        }
    }

    /// Skips lines of the window that are certainly not selected, without cutting them.
    func leapInside(_ batch: LoadedBatch, _ windowEnd: Int) {
        if filter.filtersByTime, let wanted = batch.firstOffset(from: textOffset, filter) {
            skip(to: wanted.offset, in: batch, windowEnd, isDone: wanted.isOlder)
        }
        guard let literal, textOffset < windowEnd else {
            return
        }
        let hit = candidate(for: literal, in: batch.block.text)
        skip(to: min(hit, windowEnd), in: batch, windowEnd, isDone: batch.latest <= filter.until)
    }

    /// The first offset that may belong to a match: the literal, or what is displayed in another way than it is stored:
    /// a console's control byte, a record's value that is not UTF-8, which is an array of numbers.
    private func candidate(for literal: LiteralSearch, in text: UnsafeRawBufferPointer) -> Int {
        let hit = next(&literalHit, in: text, literal.firstHit)
        switch properties.encoding {
        case .raw: return min(hit, cutter.nextControl(in: text, from: textOffset))
        case .json: return min(hit, next(&arrayHit, in: text, LiteralSearch.jsonArray.firstHit))
        }
    }

    /// Where `search` finds something at or after `textOffset`; the end of the text when it does not. `known` is
    /// its last result in this text.
    private func next(
        _ known: inout (from: Int, offset: Int)?,
        in text: UnsafeRawBufferPointer,
        _ search: (UnsafeRawBufferPointer) -> Int?
    ) -> Int {
        if let known, known.from <= textOffset, textOffset <= known.offset {
            return known.offset
        }
        let hit = search(UnsafeRawBufferPointer(rebasing: text[textOffset...])).map { $0 + textOffset } ?? text.count
        known = (textOffset, hit)
        return hit
    }

    /// Moves to the beginning of the line with the byte at `target`, or that ends the window.
    private func skip(to target: Int, in batch: LoadedBatch, _ windowEnd: Int, isDone: Bool) {
        let end = min(target, windowEnd)
        guard end > textOffset, let base = batch.block.text.baseAddress,
            let feed = gl_memrchr(base + textOffset, Int32(Lines.feed), end - textOffset)
        else {
            return
        }
        textOffset = UnsafeRawPointer(feed) - UnsafeRawPointer(base) + 1
        if isDone {
            pass(to: batch.block.offset + UInt64(textOffset))
        }
    }
}
