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
                pass(to: end)
            }
            try filter.checkBlock()
        }
    }

    /// Skips lines of the window that are certainly not selected, without cutting them.
    func leapInside(_ batch: LoadedBatch, _ windowEnd: Int) {
        if filter.filtersByTime, let wanted = batch.firstOffset(from: at, filter) {
            skip(to: wanted.offset, in: batch, windowEnd, isDone: wanted.isOlder)
        }
        guard let literal, at < windowEnd else {
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
        case .raw: return min(hit, cutter.nextControl(in: text, from: at))
        case .json: return min(hit, next(&arrayHit, in: text, LiteralSearch.jsonArray.firstHit))
        }
    }

    /// Where `search` finds something at or after the present offset; the end of the text when it does not. `known` is
    /// its last result in this text.
    private func next(
        _ known: inout (from: Int, offset: Int)?,
        in text: UnsafeRawBufferPointer,
        _ search: (UnsafeRawBufferPointer) -> Int?
    ) -> Int {
        if let known, known.from <= at, at <= known.offset {
            return known.offset
        }
        let offset = search(UnsafeRawBufferPointer(rebasing: text[at...])).map { $0 + at } ?? text.count
        known = (at, offset)
        return offset
    }

    /// Moves to the beginning of the line with the byte at `offset`, or that ends the window.
    private func skip(to offset: Int, in batch: LoadedBatch, _ windowEnd: Int, isDone: Bool) {
        let end = min(offset, windowEnd)
        guard end > at, let base = batch.block.text.baseAddress,
            let feed = gl_memrchr(base + at, Int32(Lines.feed), end - at)
        else {
            return
        }
        at = UnsafeRawPointer(feed) - UnsafeRawPointer(base) + 1
        if isDone {
            pass(to: batch.block.offset + UInt64(at))
        }
    }
}
