// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO

/// A stream that is open for writing, of either kind. Lives on the writer's thread.
protocol OpenStream: AnyObject {
    var key: StreamKey { get }
    /// The stream in the store; nil until its VM was opened.
    var id: StreamID? { get }
    /// nil while it is not open.
    var writer: StreamWriter? { get }
    /// Monotonic time of the last commit.
    var lastCommit: Int64 { get }
    /// When to retry after a failure; nil without one.
    var retryAt: Int64? { get }
    /// Whether it has no source and no uncommitted data.
    var isUnused: Bool { get }
    /// Lets go of the stream, whose VM was deleted or whose source is closed: later output opens it again.
    func forgetStream()
    /// Retries what failed, when it is time.
    func retry(at now: Int64)
}

/// What a sink requires of its writer.
protocol SinkOpening: AnyObject {
    var wallNow: Int64 { get }
    /// Whether the disk is full, so that only markers may be written.
    var isDiskFull: Bool { get }
    /// Whether entries may stay in the rings while another process changes what a stream needs to be opened.
    var maySuspend: Bool { get }
    /// Throws EBUSY while another process changes the metadata of the VM.
    func open(_ key: StreamKey, _ properties: StreamProperties) throws(SystemError) -> OpenedSink
    /// The stream is written from now on.
    func began(_ stream: StreamID)
    func failed(_ key: StreamKey, _ error: SystemError, consequence: String)
    func recovered(_ key: StreamKey)
    func plainFileFailed(_ path: String, of key: StreamKey, _ error: SystemError)
    /// At most `missing` bytes are not in the file.
    func plainFileRecovered(_ path: String, of key: StreamKey, missing: Int)
    /// Closes a descriptor on a thread that nobody waits for.
    func closeLater(_ descriptor: Int32)
    /// A source has replayed that many bytes that were stored already.
    func replayed(_ key: StreamKey, bytes: Int)
}

/// An opened stream.
struct OpenedSink {
    var writer: StreamWriter
    var id: StreamID
}
