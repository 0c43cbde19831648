// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import NIOConcurrencyHelpers
import SystemIO

/// Where an output begins, how far it has come, and the commands that change that.
extension OutputRunner {
    /// Where to begin, and when that was saved.
    func begin() async throws -> (progress: [StreamID: StreamProgress], saved: Timestamp) {
        let now = clock.now
        let contents = try await onThread { [files] in try files.open() }
        let setAside = try await onThread { [files] in files.setAside.count }
        update { [files] in
            $0.setAsideBefore = setAside
            $0.setAsideFile = files.setAside.isThere ? files.setAside.path : $0.setAsideFile
        }
        switch contents {
        case .progress(let progress, let scope):
            let saved = files.state.saved ?? now
            return (scope == settings.scope ? progress : try await adopt(progress, savedFor: scope), saved)
        case .damaged(let reason):
            diagnostics.log(
                .warning,
                "output \(settings.name): \(files.state.path): \(reason); everything that is stored is sent again"
            )
            return ([:], now)
        case .absent:
            return try await onThread { [settings, store, files] in
                let ends = try settings.startsAtBeginning ? [:] : RecordSource.ends(settings.scope, in: store)
                try files.state.save(ends, settings.scope)
                return (ends, now)
            }
        }
    }

    /// The positions to begin with where the saved ones are those of another `scope`; nil: an earlier version has not saved
    /// it. Streams that the output was not given before begin as those of a new output do.
    private func adopt(
        _ saved: [StreamID: StreamProgress],
        savedFor scope: OutputScope?
    ) async throws -> [StreamID: StreamProgress] {
        let (progress, added) = try await onThread { [settings, store, files] in
            var progress = saved
            var added = 0
            if let scope, !settings.startsAtBeginning {
                let before = try RecordSource.ends(scope, in: store)
                for (stream, end) in try RecordSource.ends(settings.scope, in: store)
                where before[stream] == nil && saved[stream] == nil {
                    progress[stream] = end
                    added += 1
                }
                // What was removed of them is no loss.
                for stream in store.removedStreams() where progress[stream.id] == nil {
                    guard let vm = VMIdentity(directoryName: stream.id.vm), settings.scope.contains(stream.id, of: vm),
                        !scope.contains(stream.id, of: vm)
                    else {
                        continue
                    }
                    progress[stream.id] = StreamProgress(cursor: Cursor(offset: stream.end))
                }
            }
            try files.state.save(progress, settings.scope)
            return (progress, added)
        }
        if added > 0 {
            diagnostics.log(
                .notice,
                "output \(settings.name): its vms or streams were changed; of \(added) more streams it sends what comes now"
            )
        }
        return progress
    }

    func advance(_ session: inout Session, past batch: OutputBatch) {
        guard !batch.moved.isEmpty else {
            return
        }
        session.progress.merge(batch.moved) { $1 }
        session.isUnsaved = true
        let bytes = UInt64(batch.bytes.count)
        shared.withLockedValue { shared in
            shared.progress = session.progress
            shared.status.counters.bytes += bytes
            shared.status.counters.gaps += batch.gaps
            shared.status.counters.gapBytes += batch.gapBytes
        }
    }

    func save(_ session: inout Session) async {
        session.lastSaved = clock.monotonicMicroseconds()
        let now = clock.now
        if let saved = await write(session.progress, at: now) {
            (session.progress, session.saved) = (saved, now)
            session.isUnsaved = false
        }
    }

    /// Writes the positions of `moment` to the file, without those in VMs that were removed by then and delivered;
    /// returns them, or nil when that was not possible.
    func write(_ progress: [StreamID: StreamProgress], at moment: Timestamp) async -> [StreamID: StreamProgress]? {
        do {
            return try await onThread { [settings, files, store] in
                let remaining = try RemovedText.remaining(of: progress, in: store, at: moment)
                try files.state.save(remaining, settings.scope)
                return remaining
            }
        } catch {
            diagnostics.log(.error, "output \(settings.name): its position cannot be saved: \(error)")
            return nil
        }
    }

    func perform(_ command: OutputCommand, _ session: inout Session) async {
        do {
            switch command.action {
            case .skip:
                let ends = try await onThread { [settings, store] in try RecordSource.ends(settings.scope, in: store) }
                let bytes = Self.bytes(from: session.progress, to: ends)
                diagnostics.log(.notice, "output \(settings.name): \(bytes) bytes are skipped, as a command demands")
                session.progress.merge(ends) { StreamProgress(cursor: $1.cursor, time: $0.time) }
            case .replay(let moment):
                let positions = try await onThread { [settings, store] in
                    try RecordSource.positions(since: moment, settings.scope, in: store)
                }
                // Only back: what waits is not passed over. A stream without a position is read from its beginning.
                for (stream, position) in positions {
                    if let present = session.progress[stream], position.cursor < present.cursor {
                        session.progress[stream] = position
                    }
                }
            }
            await save(&session)
            command.whenDone(nil)
        } catch {
            command.whenDone("\(error)")
        }
    }

    /// The stored bytes between `progress` and `ends`.
    static func bytes(
        from progress: [StreamID: StreamProgress],
        to ends: [StreamID: StreamProgress]
    ) -> UInt64 {
        ends.reduce(UInt64(0)) { sum, end in
            let offset = progress[end.key]?.cursor.offset ?? 0
            return sum + (end.value.cursor.offset - min(end.value.cursor.offset, offset))
        }
    }
}
