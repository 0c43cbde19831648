// SPDX-License-Identifier: Apache-2.0

import LogStore
import SystemIO

/// A stream's batches, one after another, without a query.
public final class StreamBatches {
    private let reader: StreamReader
    /// The start of the next batch; one that resumes at it misses nothing and gets nothing twice.
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
