import LogModel
import LogStore

/// A line of which some has been read, and the rest lies in blocks to come.
struct TornLine: ~Copyable {
    private var buffer = LineBuffer()
    /// Bytes of it so far, those not known included.
    private(set) var count = 0
    /// Where it began.
    private(set) var start = Cursor.start
    /// The time of its first byte.
    private(set) var time = Timestamp.distantPast
    /// The stream's running maximum where it began.
    private(set) var latest = Timestamp.distantPast
    private var isRecovered = false
    /// Whether its bytes are at hand; not so when it began in a block that nobody wanted.
    private(set) var isKnown = true
    /// Whether the bytes are to be dropped at the next change: they were handed out.
    private var isTaken = false

    /// Whether no line is in progress.
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

    /// A line that began at `start`, of which `count` bytes went by unread.
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

    /// The line is done with; its bytes stay until another begins.
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
