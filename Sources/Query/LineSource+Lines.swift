// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TextFormats

// How lines are cut off a batch.
extension LineSource {
    /// Cuts the next line off the batch, or the part of it in the batch.
    func cutNext() throws {
        guard let batch else {
            return
        }
        // The next position at which a line is cut.
        let cut = events.first(where: \.cutsLine)
        if let cut, !torn.isEmpty, cut.position.offset <= batch.block.offset + UInt64(textOffset) {
            offer(torn.takeRest())
            return
        }
        if torn.isEmpty, batch.block.offset + UInt64(textOffset) >= limit {
            isAtBound = true
        }
        if textOffset >= batch.stop || isAtBound {
            release()
            return
        }
        let cutOffset = cut.map { min(batch.stop, Int($0.position.offset - batch.block.offset)) }
        let windowEnd = cutOffset ?? batch.stop
        guard torn.isEmpty else {
            let rest = batch.block.text[textOffset..<windowEnd]
            let window = UnsafeRawBufferPointer(rebasing: rest.prefix(torn.capacity))
            let count = Lines.firstFeed(in: window).map { $0 + 1 } ?? window.count
            tear(batch, to: textOffset + count)
            return
        }
        leapInside(batch, windowEnd)
        guard textOffset < windowEnd else {
            return
        }
        try keepLineBefore(batch)
        if let line = line(in: batch.block.text, to: windowEnd) {
            emit(batch, line)
        } else {
            tear(batch, to: windowEnd)
        }
    }

    /// The line that begins at `textOffset`, if its end is before `stop`.
    private func line(in text: UnsafeRawBufferPointer, to stop: Int) -> DisplayedLineCutter.Cut? {
        guard properties.encoding != .raw else {
            return cutter.line(at: textOffset, in: text, to: stop, limit: lineLimit)
        }
        return cutter.record(at: textOffset, in: text, to: stop, limit: lineLimit)
    }

    /// Copies the batch's bytes up to `end`, which may continue in the next.
    private func tear(_ batch: LoadedBatch, to end: Int) {
        let heads = batch.heads(from: textOffset, to: end).map { head in
            var head = head
            head.latest = max(latestBeforeBatch, head.latest)
            return head
        }
        torn.append(UnsafeRawBufferPointer(rebasing: batch.block.text[textOffset..<end]), heads)
        textOffset = end
    }

    /// Takes a line off the batch.
    private func emit(_ batch: LoadedBatch, _ cut: DisplayedLineCutter.Cut) {
        let start = textOffset
        let head = batch.lineHead(at: start)
        let painted = cut.painted > start ? batch.lineHead(at: cut.painted) : head
        textOffset = cut.end
        var line = Line(
            start: head.start,
            time: painted.time,
            latest: max(latestBeforeBatch, painted.latest),
            bytes: UnsafeRawBufferPointer(rebasing: batch.block.text[start..<cut.end]),
            isRecovered: head.isRecovered
        )
        line.isPlain = cut.isPlain
        line.isCut = cut.endsRow
        line.carriedSets = cut.carriedSets
        offer(line)
    }

    /// Marks the lines up to `position` as processed, unless a marker among them is still to be returned.
    func pass(to position: UInt64) {
        if events.first.map({ $0.position.offset >= position }) ?? true {
            cursor = max(cursor, Cursor(offset: position))
        }
    }

    /// Makes `found` the next entry if it is selected.
    func offer(_ cut: Line) {
        guard cut.start.offset < limit else {
            // It follows, without LF, the last line that begins before the limit.
            isAtBound = true
            return
        }
        let found = drawn(cut)
        carried = found.carriedSets.map { (found.end, $0.applied(to: found.sets)) }
        guard found.start.offset >= lowest else {
            return
        }
        let line = described(found)
        guard filter.admits(line.time), filter.admits(line) else {
            if line.time <= filter.until {
                pass(to: line.end)
            }
            return
        }
        lineMaximum = line.latest
        waiting = line
    }

    /// The line with the character sets that it begins with, and with the line that it may be painted behind.
    func drawn(_ found: Line) -> Line {
        var line = found
        if let carried, carried.position == found.start.offset {
            line.sets = carried.sets
        }
        if let before, before.end == found.start.offset {
            line.above = before.text
        }
        return line
    }

    /// The line with its stream's encoding, and its own time where the stream has its own clock.
    func described(_ found: Line) -> Line {
        var line = found
        line.encoding = properties.encoding
        line.decoder = decoder
        if properties.clock == .own, let time = StructuredRecord.time(in: line.content) {
            line.time = time
            line.latest = max(line.latest, time)
        }
        return line
    }
}
