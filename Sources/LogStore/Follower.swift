import LogModel
import SystemIO

/// The one way to listen: a cursor over a stream, and "is there more".
///
/// To wait without losing anything: subscribe to `CommitNotifier` (in the daemon) or watch the stream's folder with
/// `DirectoryWatch` (in any other process) first, then call `next()` until it gives nil, then wait.
public final class Follower {
    private let reader: StreamReader
    /// What `next()` will begin at; a reader that comes back with it misses nothing and gets nothing twice.
    public private(set) var cursor: Cursor

    /// Follows `reader`'s stream from `cursor` on.
    public init(_ reader: StreamReader, from cursor: Cursor = .start) {
        self.reader = reader
        self.cursor = cursor
    }

    /// The next bytes and markers, at most a block of them; nil when all that is committed has been handed out.
    public func next() throws(SystemError) -> Batch? {
        guard let batch = try reader.batch(at: cursor) else {
            return nil
        }
        cursor = batch.next
        return batch
    }
}
