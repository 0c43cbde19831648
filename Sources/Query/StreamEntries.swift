// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// The selected entries of one stream, in order.
protocol StreamEntries: AnyObject {
    /// The next entry; nil when there is none now. The previous entry's bytes become invalid. Throws
    /// `ReadTurn.Expired` between two lines.
    func next() throws -> LogEntry?
    /// Marks the last entry as processed: `cursor` moves past it.
    func markProcessed()
    /// Where to resume: everything before was returned and processed, or is not selected.
    var cursor: Cursor { get }
    /// The position up to which the stream was read.
    var readEnd: UInt64 { get }
    /// The stream's running maximum of time at the last entry returned.
    var runningMaximum: Timestamp { get }
    /// Whether no more entries can follow.
    var isFinished: Bool { get }

    /// An incomplete line, if it is selected; the rest will be a line of its own.
    func takeUnfinished() -> Line?
    /// Whether it has an incomplete line of which a part was received within the second after `moment`.
    func isSpeaking(at moment: Timestamp) -> Bool
    /// Whether it has an incomplete line of which nothing was received since `moment`; nil: whenever it was received.
    func isUnfinished(since moment: Timestamp?) -> Bool

    /// Releases the block in memory if all of it was returned; whether none is in memory then.
    func releaseFinishedBlock() -> Bool
}

extension LineSource: StreamEntries {
    var readEnd: UInt64 { position.offset }
}
