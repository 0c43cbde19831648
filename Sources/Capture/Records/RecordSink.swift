// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO

/// The writer's side of one stream of records: commits what waits in its intake. Lives on the writer's thread.
///
/// After a failure everything stays in the intake and is tried again, so its source waits, and nothing is lost.
final class RecordSink: OpenStream {
    let intake: RecordIntake
    private(set) var id: StreamID?
    private(set) var writer: StreamWriter?
    private(set) var lastCommit: Int64 = 0
    private(set) var retryAt: Int64?
    /// Whether the source has closed its intake.
    var isClosed = false
    /// Whether the stream contains a console's bytes in place of records, or records in place of those.
    private var isRefused = false
    /// An earlier sink of the stream, whose batches are committed first.
    private var earlier: RecordSink?
    private unowned let opener: any SinkOpening
    /// Bytes of the first batch that are committed already: of a record longer than a block.
    private var alreadyCommitted = 0

    /// Maximum number of bytes committed in one turn, before other streams have theirs: text, and what each batch and each
    /// marker takes besides, which is most of the work for small ones.
    static let bytesPerTurn = 256 << 10

    /// The stream of `intake`. `earlier` is an earlier one of the same stream, closed and not completely committed.
    init(_ intake: RecordIntake, after earlier: RecordSink?, opener: any SinkOpening) {
        self.intake = intake
        self.earlier = earlier
        self.opener = opener
    }

    var key: StreamKey { intake.key }

    var isUnused: Bool { isClosed && intake.first == nil }

    /// Commits what waits, or a part; returns whether there is more to commit now.
    func commit(at now: Int64) -> Bool {
        intake.beginTurn()
        guard isReady(at: now) else {
            return false
        }
        var bytes = 0
        while let item = intake.first {
            guard bytes < Self.bytesPerTurn else {
                return true
            }
            do throws(SystemError) {
                bytes += RecordQueue.overhead + (try commit(item))
            } catch {
                fail(error, at: now)
                return false
            }
            lastCommit = now
            intake.removeFirst()
        }
        return false
    }

    /// Commits one item; returns the size of its text.
    private func commit(_ item: RecordQueue.Item) throws(SystemError) -> Int {
        switch item {
        case .gap(let gap, let position):
            // Text that was read again comes before a loss.
            alreadyCommitted = 0
            try writer?.mark(RecordDetail(gap: gap, source: position), time: Timestamp(microseconds: opener.wallNow))
            return 0
        case .marker(let marker, let time, let position):
            // What precedes text that is committed already is committed too.
            if alreadyCommitted == 0, let writer {
                var detail = marker.detail(at: writer.nextOffset)
                detail.source = position
                try writer.mark(detail, time: time)
            }
            return 0
        case .batch(let batch, _):
            let detail = RecordDetail(source: batch.position, ownTime: batch.ownTime)
            let known = min(alreadyCommitted, batch.text.count)
            do throws(AppendFailure) {
                try batch.text.span.bytes.withUnsafeBytes {
                    (text: UnsafeRawBufferPointer) throws(AppendFailure) -> Void in
                    let rest = UnsafeRawBufferPointer(rebasing: text[known...])
                    try writer?.append(rest, time: batch.received, detail: detail, isWhole: true)
                }
            } catch {
                alreadyCommitted += error.committed
                intake.statistics.store(error.committed)
                throw error.cause
            }
            alreadyCommitted -= known
            intake.statistics.store(batch.text.count - known)
            return batch.text.count
        }
    }

    // MARK: - Opening and failures

    /// Whether the store accepts records: it is open and not waiting for a retry.
    private func isReady(at now: Int64) -> Bool {
        guard !isRefused else {
            return false
        }
        if opener.isDiskFull {
            retryAt = now + StreamSink.retryInterval
            return false
        }
        if let retryAt, now < retryAt {
            return false
        }
        if let writer, !writer.isInPlace(at: now) {
            // The files were removed or moved: they are created again, after a gap.
            self.writer = nil
        }
        guard hasCompletedEarlier(at: now), writer != nil || open(at: now) else {
            return false
        }
        if retryAt != nil {
            retryAt = nil
            opener.recovered(key)
        }
        return true
    }

    private func hasCompletedEarlier(at now: Int64) -> Bool {
        while earlier?.commit(at: now) == true {}
        guard earlier?.isUnused ?? true else {
            retryAt = earlier?.retryAt
            return false
        }
        earlier = nil
        return true
    }

    /// Opens the stream, and tells the source its position.
    private func open(at now: Int64) -> Bool {
        do throws(SystemError) {
            let opened = try opener.open(key, intake.options.properties)
            guard opened.writer.properties.encoding == intake.options.encoding else {
                isRefused = true
                let isConsole = intake.options.encoding == .raw
                let reason =
                    "the stream contains \(isConsole ? "records" : "a console's bytes"); "
                    + "use another stream, or remove its log"
                let operation = isConsole ? "store a console in" : "store records in"
                intake.refuse(SystemError(operation, opened.writer.path, code: EINVAL, reason: reason))
                return false
            }
            writer = opened.writer
            id = opened.id
            opener.began(opened.id)
            lastCommit = now
            alreadyCommitted = intake.options.isReplayable ? opened.writer.lengthSinceSource : 0
            intake.opened(at: opened.writer.source)
            return true
        } catch  where error.code == SystemError.busy {
            // Another process has it for a moment.
            retryAt = now + StreamSink.suspension
            return false
        } catch {
            intake.openingFailed(error)
            fail(error, at: now)
            return false
        }
    }

    private func fail(_ error: SystemError, at now: Int64) {
        retryAt = now + StreamSink.retryInterval
        opener.failed(key, error, consequence: "its source waits")
    }

    func forgetStream() {
        (writer, id, retryAt) = (nil, nil, nil)
    }

    func retry(at now: Int64) {
        if let retryAt, now >= retryAt {
            _ = commit(at: now)
        }
    }

    func writeUnrecorded(at now: Int64) {
        _ = commit(at: now)
    }
}
