// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO

// What the writer does for streams of records.
extension StoreWriter {
    /// Opens a stream of records.
    func open(_ intake: RecordIntake) {
        let sink = RecordSink(intake, after: streams.recordSink(intake.key), opener: self)
        streams.add(sink)
        commit(sink, at: clock.monotonicMicroseconds())
    }

    /// Commits what waits in an intake.
    func commitRecords(_ key: StreamKey) {
        if let sink = streams.recordSink(key) {
            commit(sink, at: clock.monotonicMicroseconds())
        }
    }

    /// Closes an intake; its stream is released when everything is committed.
    func closeRecords(_ key: StreamKey) {
        streams.recordSink(key)?.isClosed = true
        commitRecords(key)
    }

    func commit(_ sink: RecordSink, at now: Int64) {
        if sink.commit(at: now) {
            // Other streams have their turn between.
            post { [key = sink.key] in $0.commitRecords(key) }
        }
        hasWritten(sink)
        release(sink)
    }
}
