// SPDX-License-Identifier: Apache-2.0

import CLinux
import LogModel
import LogStore
import TextFormats

// How lines are cut off a batch.
extension LineSource {
    /// Cuts the next line off the batch, or the part of it in the batch.
    func cutNext() {
        guard let batch else {
            return
        }
        // The next position at which a line is cut.
        let cut = events.first(where: \.cutsLine)
        if let cut, !torn.isEmpty, cut.place.offset <= batch.block.offset + UInt64(at) {
            finishTorn()
            return
        }
        if torn.isEmpty, batch.block.offset + UInt64(at) >= limit {
            isAtBound = true
        }
        if at >= batch.stop || isAtBound {
            release()
            return
        }
        let cutPlace = cut.map { min(batch.stop, Int($0.place.offset - batch.block.offset)) }
        let windowEnd = cutPlace ?? batch.stop
        if torn.isEmpty {
            leapInside(batch, windowEnd)
            if at >= windowEnd {
                return
            }
        }
        let text = batch.block.text
        let held = torn.count
        let room = lineLimit - held
        let window = UnsafeRawBufferPointer(rebasing: text[at..<windowEnd])
        let searched = UnsafeRawBufferPointer(rebasing: window.prefix(room + 1))
        if let feed = Lines.firstFeed(in: searched) {
            emit(batch, count: feed + 1)
        } else if window.count > room {
            emit(batch, count: room)
        } else if cutPlace != nil {
            emit(batch, count: window.count)
        } else {
            if torn.isEmpty, !window.isEmpty {
                torn.begin(batch.lineHead(at: at), latestBefore: latestBeforeBatch)
            }
            torn.append(window)
            at = windowEnd
            release()
        }
    }

    /// Skips lines of the window that are certainly not selected, without cutting them.
    private func leapInside(_ batch: LoadedBatch, _ windowEnd: Int) {
        let text = batch.block.text
        if filter.filtersByTime, let wanted = batch.firstPlace(from: at, filter) {
            skip(to: wanted.place, in: batch, windowEnd, isDone: wanted.isOlder)
        }
        guard let literal, at < windowEnd else {
            return
        }
        let window = UnsafeRawBufferPointer(rebasing: text[at..<windowEnd])
        let hit = literal.firstHit(in: window).map { $0 + at } ?? windowEnd
        skip(to: hit, in: batch, windowEnd, isDone: batch.latest <= filter.until)
    }

    /// Moves to the beginning of the line with the byte at `place`, or that ends the window.
    private func skip(to place: Int, in batch: LoadedBatch, _ windowEnd: Int, isDone: Bool) {
        let end = min(place, windowEnd)
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

    /// Ends the current line with the batch's next `count` bytes.
    private func emit(_ batch: LoadedBatch, count: Int) {
        let piece = UnsafeRawBufferPointer(rebasing: batch.block.text[at..<at + count])
        guard torn.isEmpty else {
            torn.append(piece)
            at += count
            finishTorn()
            return
        }
        let head = batch.lineHead(at: at)
        at += count
        offer(
            Line(start: head.start, time: head.time, bytes: piece, isRecovered: head.isRecovered),
            latest: max(latestBeforeBatch, head.latest)
        )
    }

    /// Marks the lines up to `position` as processed, unless a marker among them is still to be returned.
    private func pass(to position: UInt64) {
        if events.first.map({ $0.place.offset >= position }) ?? true {
            cursor = max(cursor, Cursor(offset: position))
        }
    }

    func finishTorn() {
        defer { torn.taken() }
        guard torn.isKnown else {
            return
        }
        offer(torn.line, latest: torn.latest)
    }

    private func offer(_ found: Line, latest: Timestamp) {
        var line = found
        line.encoding = properties.encoding
        var latest = latest
        if properties.clock == .own, let time = StructuredRecord.time(in: line.content) {
            line.time = time
            latest = max(latest, time)
        }
        guard filter.admits(line.time), filter.admits(line) else {
            if line.time <= filter.until {
                pass(to: line.end)
            }
            return
        }
        lineMaximum = latest
        waiting = line
    }
}
