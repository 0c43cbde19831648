// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// A cursor over a stream that follows its growth.
///
/// To wait without missing anything: subscribe to `CommitNotifier` (in the daemon) or watch the stream's folder with
/// `DirectoryWatch` (in any other process) first, then call `next()` until it returns nil, then wait.
public final class Follower {
    private let reader: StreamReader
    /// The start of the next batch; a reader that resumes at it misses nothing and gets nothing twice.
    public private(set) var cursor: Cursor

    public init(_ reader: StreamReader, from cursor: Cursor = .start) {
        self.reader = reader
        self.cursor = cursor
    }

    /// The next bytes and markers, at most a block of them; nil when everything committed was returned.
    public func next() throws(SystemError) -> Batch? {
        guard let batch = try reader.batch(at: cursor) else {
            return nil
        }
        cursor = batch.next
        return batch
    }
}
