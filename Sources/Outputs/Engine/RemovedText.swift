// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Query
import SystemIO

/// What the store has removed with its VM before an output delivered it. Each stream with such text becomes one record.
struct RemovedText {
    /// The removed rest of a stream.
    private struct Loss {
        var stream: RemovedStream
        var vm: VMIdentity
        var progress: StreamProgress
    }

    private let settings: OutputSettings
    private let store: Store
    /// The progress with which the output began.
    private let progress: [StreamID: StreamProgress]
    /// VMs that were removed later were there for this output, also those of which it has no position.
    private let begin: Timestamp
    /// The streams whose removal was told, or that were read to their ends.
    private var settled: Set<RemovedStream> = []
    private var losses: [Loss] = []
    /// The status of the store's list of removed VMs when it was read last.
    private var known: FileAttributes?

    /// Finds what was removed since `progress` was saved; `begin` is when that was.
    init(_ settings: OutputSettings, store: Store, progress: [StreamID: StreamProgress], begin: Timestamp) {
        (self.settings, self.store, self.progress, self.begin) = (settings, store, progress, begin)
        _ = scan(reached: { _ in nil }, sendsRest: { _ in false })
    }

    /// Whether VMs were removed since the last scan.
    var hasChanged: Bool { store.removalStatus != known }

    /// Finds removed text that was not delivered; `reached` tells how far a stream was read that was there since the
    /// output began, `sendsRest` whether it ends with an unfinished line that is sent now: the next scan tells its loss.
    /// Returns where those are that were read to their ends.
    mutating func scan(
        reached: (RemovedStream) -> StreamProgress?,
        sendsRest: (StreamID) -> Bool
    ) -> [StreamID: StreamProgress] {
        known = store.removalStatus
        guard known != nil, let folders = try? store.folders() else {
            return [:]
        }
        var read: [StreamID: StreamProgress] = [:]
        for stream in store.removedStreams() where !settled.contains(stream) {
            // A VM that has come back begins with a gap that tells of the removal.
            guard !folders.contains(stream.id.vm) else {
                if let ended = store.vm(in: stream.id.vm)?.ended, ended <= stream.removed {
                    // It is being removed.
                    known = nil
                }
                continue
            }
            guard !sendsRest(stream.id) else {
                known = nil
                continue
            }
            let present = reached(stream)
            let last = present ?? progress[stream.id]
            guard last != nil || stream.removed > begin, let vm = VMIdentity(directoryName: stream.id.vm),
                settings.scope.contains(stream.id, of: vm)
            else {
                continue
            }
            settled.insert(stream)
            if last?.cursor.offset ?? 0 < stream.end {
                losses.append(Loss(stream: stream, vm: vm, progress: last ?? StreamProgress(cursor: .start)))
            } else if let present {
                read[stream.id] = present
            }
        }
        return read
    }

    var hasLosses: Bool { !losses.isEmpty }

    /// The records of what was found, as a batch of the usual size; nil when there is nothing to tell.
    mutating func takeBatch(for destination: any OutputDestination) -> OutputBatch? {
        guard !losses.isEmpty else {
            return nil
        }
        var batch = OutputBatch()
        batch.hasMore = true
        for loss in losses {
            batch.append(loss.stream, of: loss.vm, after: loss.progress, for: destination)
            if batch.items.count >= OutputLimits.records || batch.bytes.count >= settings.batch {
                break
            }
        }
        losses.removeFirst(batch.items.count)
        return batch
    }

    /// `progress` without the streams of VMs that are gone, unless text of them was removed that `progress` does not
    /// include: that is told later. Those of VMs that were removed after `moment`, when it is saved, remain too: without
    /// them all text of such a VM would count as lost.
    static func remaining(
        of progress: [StreamID: StreamProgress],
        in store: Store,
        at moment: Timestamp
    ) throws -> [StreamID: StreamProgress] {
        let folders = try store.folders()
        guard progress.contains(where: { !folders.contains($0.key.vm) }) else {
            return progress
        }
        let removed = Dictionary(store.removedStreams().map { ($0.id, $0) }) { $0.end > $1.end ? $0 : $1 }
        return progress.filter { stream, value in
            folders.contains(stream.vm)
                || removed[stream].map { value.cursor.offset < $0.end || $0.removed > moment } ?? false
        }
    }
}

extension OutputBatch {
    /// Adds the record of the end of a stream that was removed before it was delivered.
    fileprivate mutating func append(
        _ stream: RemovedStream,
        of vm: VMIdentity,
        after progress: StreamProgress,
        for destination: any OutputDestination
    ) {
        let bytes = stream.bytes(after: progress.cursor.offset)
        let unknown = GapDetail(reason: .retention, bytes: nil, lines: 0, since: stream.removed, isClosed: true)
        let event = bytes.map { OutputRecord.Event.missing(bytes: $0, reason: .retention) } ?? .gap(unknown)
        var time = progress.time
        var origin = RecordOrigin(stream: stream.id, vm: vm)
        origin.encoded = destination.encode(origin)
        Array(event.message.utf8).withUnsafeBytes { text in
            let record = OutputRecord(
                origin,
                at: progress.cursor,
                event: event,
                time: time.next(OutputRecord.nanoseconds(stream.removed)),
                stored: stream.removed,
                text: text
            )
            append(record, origin: origins.count, for: destination)
        }
        origins.append(origin)
        moved[stream.id] = StreamProgress(cursor: Cursor(offset: stream.end), time: time)
        gaps += 1
        gapBytes += bytes ?? 0
    }
}
