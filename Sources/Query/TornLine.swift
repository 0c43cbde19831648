// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// A line that began in one block and continues in later ones.
struct TornLine: ~Copyable {
    private var buffer = LineBuffer()
    /// Bytes of it so far, including those not read.
    private(set) var count = 0
    private(set) var start = Cursor.start
    private(set) var time = Timestamp.distantPast
    /// The largest time in the stream before it.
    private(set) var latest = Timestamp.distantPast
    private var isRecovered = false
    /// Whether its bytes are held; not when it began in a skipped block.
    private(set) var isKnown = true
    /// Whether the bytes were returned and are dropped at the next change.
    private var isTaken = false

    var isEmpty: Bool { isTaken || count == 0 }

    /// The line as far as it is known; valid until the next change.
    var line: Line { Line(start: start, time: time, bytes: buffer.bytes, isRecovered: isRecovered) }

    mutating func begin(_ head: LineHead, latestBefore: Timestamp) {
        reset()
        start = head.start
        time = head.time
        latest = max(latestBefore, head.latest)
        isRecovered = head.isRecovered
    }

    /// A line that began at `start`, of which `count` bytes were skipped.
    mutating func beginUnknown(at start: Cursor, count: Int) {
        reset()
        self.start = start
        self.count = count
        isKnown = false
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        count += bytes.count
        if isKnown {
            buffer.append(bytes)
        }
    }

    /// Marks the line as returned; its bytes stay until another begins.
    mutating func taken() {
        isTaken = true
        count = 0
    }

    private mutating func reset() {
        buffer.removeAll()
        count = 0
        isKnown = true
        isTaken = false
        isRecovered = false
    }
}
