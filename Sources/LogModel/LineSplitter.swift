#if canImport(Glibc)
    import Glibc
#endif

/// Where lines end: pure functions over bytes.
///
/// A line ends at LF; the LF belongs to the line. Nothing else ends one: a serial console's CR is part of the line,
/// and a Swift `String` is never involved, because it takes CR LF for a single character.
public enum Lines {
    /// Line feed, the only byte that ends a line.
    public static let feed = UInt8(ascii: "\n")

    /// The place of the first LF at or after `start`, or nil.
    @inlinable
    public static func firstFeed(in bytes: UnsafeRawBufferPointer, from start: Int = 0) -> Int? {
        guard let base = bytes.baseAddress, start < bytes.count,
            let hit = memchr(base + start, Int32(feed), bytes.count - start)
        else {
            return nil
        }
        return UnsafeRawPointer(hit) - base
    }
}

/// Cuts a stream of bytes that comes in pieces into whole lines.
///
/// Holds at most `limit` bytes of an unfinished line; a longer one is handed out in pieces of `limit` bytes, so a
/// guest that never sends LF costs no more than that.
public struct LineSplitter: Sendable {
    private var partial: [UInt8] = []
    private let limit: Int

    /// A splitter that cuts lines longer than `limit` bytes.
    public init(limit: Int) {
        self.limit = limit
    }

    /// The number of bytes of the unfinished line.
    public var pendingCount: Int { partial.count }

    /// Takes the next bytes and hands each line that is now whole (its LF included), or cut at the limit, to `body`.
    public mutating func feed(_ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
        var start = 0
        while start < bytes.count {
            let room = limit - partial.count
            let window = UnsafeRawBufferPointer(rebasing: bytes[start..<min(bytes.count, start + room)])
            guard let feed = Lines.firstFeed(in: window) else {
                if window.count == room {
                    emit(window, body)
                } else {
                    partial.append(contentsOf: window)
                }
                start += window.count
                continue
            }
            emit(UnsafeRawBufferPointer(rebasing: window[0...feed]), body)
            start += feed + 1
        }
    }

    /// Hands out the unfinished line, if there is one.
    public mutating func flush(_ body: (UnsafeRawBufferPointer) -> Void) {
        guard !partial.isEmpty else {
            return
        }
        partial.withUnsafeBytes(body)
        partial.removeAll(keepingCapacity: true)
    }

    private mutating func emit(_ piece: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
        if partial.isEmpty {
            body(piece)
        } else {
            partial.append(contentsOf: piece)
            flush(body)
        }
    }
}
