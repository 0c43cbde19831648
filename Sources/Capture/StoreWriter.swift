// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import LogModel
import LogStore
import SystemIO

/// The one thread that writes to a file system: moves the shards' rings into the store and the plain files.
/// `CommitPacer` decides when bytes are committed. When the file system hangs, only this thread is blocked.
final class StoreWriter: @unchecked Sendable {
    // Sendable because all but the inbox, the announcements and the pulse is touched on the thread alone.

    /// How long the data of an ended process waits for a new source of its stream, in microseconds.
    private static let orphanTimeout: Int64 = 2_000_000
    /// The interval between checks for idle active pairs, in microseconds.
    private static let idleInterval: Int64 = 600_000_000

    private let rings: [InflightRing]
    private var orphans = Orphans()
    /// When the data of streams without a new source is recovered; monotonic microseconds.
    private var orphanDeadline = Int64.max
    let clock: any HostClock
    let diagnostics: Diagnostics
    let problems: Problems
    private let notifier: CommitNotifier
    private let sealer: SealerThread
    private let fileLimit: Int

    private let inbox: WorkerInbox<StoreWriter>
    /// Detects a blocked disk.
    let pulse: WriterPulse

    private var scan: [UInt64] = []
    let streams: StreamTable
    private var pacer = CommitPacer()
    /// Streams with a plain file that have new entries in this turn.
    private var inPlainFiles: [StreamSink] = []
    /// Streams with a failure to be retried.
    private var failing: [ObjectIdentifier: any OpenStream] = [:]
    private var nextIdleCheck: Int64 = 0
    /// Whether there were commits since all idle pairs were sealed.
    private var mayIdle = false
    private var flushesSinceFileCheck = 0
    let reserve: Reserve
    /// Whether the disk is full: the reserve was released, and only markers are written until it can be acquired again.
    var isDiskFull = false
    var nextReserveAttempt: Int64 = 0
    private let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 64)

    init(
        store: Store,
        rings: [InflightRing],
        clock: any HostClock,
        diagnostics: Diagnostics,
        problems: Problems,
        notifier: CommitNotifier,
        sealer: SealerThread,
        hostBoot: String,
        fileLimit: Int
    ) throws(SystemError) {
        self.rings = rings
        self.clock = clock
        pulse = WriterPulse(clock)
        self.diagnostics = diagnostics
        self.problems = problems
        self.notifier = notifier
        self.sealer = sealer
        self.fileLimit = fileLimit
        reserve = Reserve(root: store.root, fileSystem: store.fileSystem)
        inbox = try WorkerInbox()
        scan = rings.map(\.tail)
        streams = StreamTable(
            store: store,
            rings: rings.count,
            clock: clock,
            hostBoot: hostBoot,
            diagnostics: diagnostics
        )
    }

    deinit {
        scratch.deallocate()
    }

    // MARK: - From other threads

    /// Wakes the thread if it sleeps; from a shard, after publishing.
    func wake() {
        inbox.wake()
    }

    /// Runs `job` on the thread.
    func post(_ job: @escaping @Sendable (StoreWriter) -> Void) {
        inbox.post(job)
    }

    /// Ends the thread after the current contents of the rings are committed. Later entries are left to `finish`.
    func stop() {
        inbox.stop()
    }

    // MARK: - On the thread

    /// Sets the store of the rings' bytes; before `run`.
    func setStore(_ identity: StoreIdentity) {
        rings.forEach { $0.setStore(identity) }
    }

    /// Recovers the data of ended processes in `rings`, which belong to this store; before `run`.
    func adopt(_ rings: [InflightRing]) {
        orphans = Orphans(rings)
        orphanDeadline = rings.isEmpty ? .max : clock.monotonicMicroseconds() + Self.orphanTimeout
    }

    func run() {
        _ = reserve.acquire()
        while !inbox.isStopping {
            let now = clock.monotonicMicroseconds()
            if !turn(at: now, takesAll: false) {
                sleep(now)
            }
        }
        let ends = rings.map(\.published)
        repeat {
            _ = turn(at: clock.monotonicMicroseconds(), takesAll: true)
        } while zip(scan, ends).contains { $0 < $1 }
    }

    /// Commits the remaining contents of the rings and records all losses, after the shards and the thread have ended;
    /// on the thread that ended them.
    func finish() {
        while turn(at: clock.monotonicMicroseconds(), takesAll: true) {}
        flushLossCounters(at: clock.monotonicMicroseconds())
        advanceTails()
    }

    /// Takes a part of the rings' entries and commits the streams that are due, or all; returns whether there was
    /// anything.
    private func turn(at now: Int64, takesAll: Bool) -> Bool {
        pulse.begin(at: now)
        var didWork = runJobs()
        didWork = drain(at: now) || didWork
        if now >= orphanDeadline || (takesAll && orphanDeadline < .max) {
            orphanDeadline = .max
            orphans.uncommitted.keys.forEach { adopt($0, at: now) }
            removeSpent(&orphans.rings)
        }
        for sink in pacer.takeDue(at: now, all: takesAll || isPressed) {
            flush(sink, at: now)
        }
        if takesAll {
            streams.allRecordSinks.forEach { commit($0, at: now) }
        }
        retryFailing(at: now)
        closeIdlePairs(at: now)
        advanceTails()
        pulse.end()
        return didWork
    }

    /// Runs the posted jobs; returns whether there were any.
    private func runJobs() -> Bool {
        let jobs = inbox.takeJobs()
        for job in jobs {
            job(self)
        }
        return !jobs.isEmpty
    }

    /// Sleeps until there is work.
    private func sleep(_ now: Int64) {
        var times = failing.values.compactMap(\.retryAt)
        if let due = pacer.nextDue {
            times.append(due)
        }
        if mayIdle {
            times.append(nextIdleCheck)
        }
        if orphanDeadline < .max {
            times.append(orphanDeadline)
        }
        inbox.sleep(microseconds: times.min().map { max(0, $0 - now) }) {
            zip(rings, scan).contains { $0.entry(at: $1) != nil }
        }
    }

    /// Takes entries from the rings; returns whether there were any.
    private func drain(at now: Int64) -> Bool {
        var didWork = false
        for (number, ring) in rings.enumerated() {
            let start = scan[number]
            while scan[number] - start < Self.bytesPerTurn, let entry = ring.entry(at: scan[number]) {
                scan[number] = entry.end
                take(entry, ring: ring, number: number, at: now)
                pulse.step()
            }
            didWork = didWork || scan[number] > start
        }
        for sink in inPlainFiles {
            sink.writePlain(scratch)
        }
        inPlainFiles.removeAll(keepingCapacity: true)
        return didWork
    }

    /// Bytes taken from one ring in a turn, before their space is released and the other rings have their turn.
    private static let bytesPerTurn: UInt64 = 256 << 10

    private func take(_ entry: InflightRing.Entry, ring: InflightRing, number: Int, at now: Int64) {
        switch entry.kind {
        case .data, .gap, .boot:
            if let sink = streams.sink(ring: number, slot: entry.slot) {
                if sink.hasPlainFile, inPlainFiles.last !== sink {
                    inPlainFiles.append(sink)
                }
                if pacer.enqueue(entry, to: sink, ring: ring, at: now) {
                    flush(sink, at: now)
                }
                return
            }
        case .open: open(entry.slot, of: number, at: now)
        case .close: close(entry.slot, of: number, at: now)
        case .padding: break
        }
        entry.state = .done
    }

    // MARK: - Records

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

    private func commit(_ sink: RecordSink, at now: Int64) {
        if sink.commit(at: now) {
            // Other streams have their turn between.
            post { [key = sink.key] in $0.commitRecords(key) }
        }
        hasWritten(sink)
        release(sink)
    }

    // MARK: - Opening and closing streams

    /// Announces the stream of a slot, before the entry that opens it is published; from the shard.
    func announce(_ announcement: StreamTable.Announcement, ring: Int, slot: Int) {
        streams.announce(announcement, ring: ring, slot: slot)
    }

    private func open(_ slot: Int, of ring: Int, at now: Int64) {
        guard let sink = streams.open(ring: ring, slot: slot, for: self) else {
            return
        }
        adopt(sink.key, at: now)
        settle(sink, at: now)
    }

    private func close(_ slot: Int, of ring: Int, at now: Int64) {
        if let sink = streams.close(ring: ring, slot: slot) {
            flush(sink, at: now)
            release(sink)
        }
    }

    /// Releases a stream without a source after all its losses are recorded; and after its last stream, the VM, once
    /// everything is on disk.
    private func release(_ stream: any OpenStream) {
        guard stream.isUnused, stream.retryAt == nil, streams.contains(stream) else {
            return
        }
        let (vm, id) = (stream.key.vm, stream.id)
        if let writer = stream.writer, let id {
            if writer.activeLength >= StoreLimits.idleSealMinimum {
                writer.roll()
            }
            seal(writer, id)
            writer.closeFiles()
        }
        let closed = streams.close(stream)
        sealer.whenOnDisk(id) { [weak self] in
            self?.post { $0.streams.closeUnused(vm, after: closed) }
        }
    }

    /// Commits what ended processes had read of a stream and not committed, and records their losses.
    private func adopt(_ key: StreamKey, at now: Int64) {
        let uncommitted = orphans.take(key)
        guard !uncommitted.isEmpty else {
            return
        }
        let sink = streams.sink(key, for: self)
        if let options = streams.announcedOptions(of: key) {
            sink.configure(options)
        }
        for left in uncommitted {
            sink.adoptWriterMarkers(ring: left.ring, slot: left.slot)
            settle(sink, at: now)
            for entry in left.entries {
                sink.enqueue(entry, ring: left.ring, at: now)
                flush(sink, at: now)
            }
            sink.adoptShardMarkers(ring: left.ring, slot: left.slot)
            settle(sink, at: now)
        }
        release(sink)
    }

    /// At the end: records losses that the shards counted and had no room for.
    private func flushLossCounters(at now: Int64) {
        for (number, ring) in rings.enumerated() {
            for slot in 0..<ring.slotsUsed where ring.hasUnwrittenMarkers(slot) {
                if let sink = streams.sink(ring: number, slot: slot) {
                    sink.adoptShardMarkers(ring: ring, slot: slot)
                    settle(sink, at: now)
                }
            }
        }
    }

    private func settle(_ sink: StreamSink, at now: Int64) {
        sink.settle(at: now)
        hasWritten(sink)
    }

    private func flush(_ sink: StreamSink, at now: Int64) {
        sink.flush(scratch, at: now)
        hasWritten(sink)
    }

    /// Notifies followers of a commit, or schedules a retry after a failure.
    private func hasWritten(_ stream: any OpenStream) {
        failing[ObjectIdentifier(stream)] = stream.retryAt == nil ? nil : stream
        guard let id = stream.id, let writer = stream.writer else {
            return
        }
        seal(writer, id)
        mayIdle = true
        flushesSinceFileCheck += 1
        sealer.noteCommit()
        notifier.notify(id)
    }

    /// Passes the stream's closed pairs to the sealer.
    func seal(_ writer: StreamWriter, _ id: StreamID) {
        for base in writer.takeClosedPairs() {
            sealer.seal(base, of: id)
        }
    }

    private var isPressed: Bool {
        rings.contains { $0.used > $0.capacity / 2 }
    }

    private func retryFailing(at now: Int64) {
        if isDiskFull, now >= nextReserveAttempt {
            isDiskFull = !reserve.acquire()
            nextReserveAttempt = now + StreamSink.retryInterval
        }
        for stream in failing.values {
            stream.retry(at: now)
            if stream.retryAt == nil {
                hasWritten(stream)
                release(stream)
            }
        }
    }

    /// Closes pairs that were unchanged for an hour, so that they are compressed.
    private func closeIdlePairs(at now: Int64) {
        guard now >= nextIdleCheck else {
            return
        }
        nextIdleCheck = now + Self.idleInterval
        mayIdle = false
        for stream in streams.all {
            guard let writer = stream.writer, let id = stream.id, writer.activeLength >= StoreLimits.idleSealMinimum
            else {
                continue
            }
            guard now - stream.lastCommit >= StoreLimits.idleSealAfter else {
                mayIdle = true
                continue
            }
            writer.roll()
            seal(writer, id)
        }
    }

    private func advanceTails() {
        for (number, ring) in rings.enumerated() {
            var tail = ring.tail
            while tail < scan[number], let entry = ring.entry(at: tail), entry.state == .done {
                tail = entry.end
            }
            ring.tail = tail
        }
        closeLongestUnused()
    }

    /// Limits the number of open files: closes those unused for longest.
    private func closeLongestUnused() {
        guard flushesSinceFileCheck > fileLimit / 16 else {
            return
        }
        flushesSinceFileCheck = 0
        let open = streams.all.filter { $0.writer?.isOpen == true }
        // Two files for each stream; an eighth of the limit may be opened before the next check.
        guard open.count * 2 > fileLimit * 3 / 4 else {
            return
        }
        for stream in open.sorted(by: { $0.lastCommit < $1.lastCommit }).prefix(max(1, open.count / 4)) {
            stream.writer?.closeFiles()
        }
    }

    // MARK: - Posted jobs

    /// Closes all active pairs after a failed sync, so that nothing is appended to files that may be lost.
    func rollAll() {
        for stream in streams.all {
            guard let writer = stream.writer, let id = stream.id else {
                continue
            }
            writer.roll()
            seal(writer, id)
        }
    }

    /// Commits a stream's entries below `head` in a ring.
    func settle(_ key: StreamKey, ring: Int, upTo head: UInt64) {
        let now = clock.monotonicMicroseconds()
        while scan[ring] < head, drain(at: now) {
            advanceTails()
        }
        if let sink = streams.sink(key), sink.hasPending {
            flush(sink, at: now)
        }
    }

    /// Marks a VM as deleted and releases it.
    func end(_ key: VMKey) throws(SystemError) {
        // Earlier output belongs to it: left in the rings it would begin the history of the next VM of its name. A turn
        // takes a part of a ring; the number of turns is bounded, so a guest that continues to write does not delay
        // this without end.
        for _ in 0...(rings[0].capacity / Int(Self.bytesPerTurn)) where drain(at: clock.monotonicMicroseconds()) {
            advanceTails()
        }
        let now = clock.monotonicMicroseconds()
        streams.sinks(of: key).forEach { flush($0, at: now) }
        streams.recordSinks(of: key).forEach { commit($0, at: now) }
        for stream in streams.all(of: key) {
            if let writer = stream.writer, let id = stream.id {
                writer.roll()
                seal(writer, id)
            }
            failing[ObjectIdentifier(stream)] = nil
            streams.close(stream)
        }
        try streams.end(key)
    }

    /// Removes the files of empty rings. A ring with bytes that could not be committed, or losses that could not be
    /// recorded, is left to the next process.
    func removeRings() {
        var all = rings + orphans.rings
        removeSpent(&all)
    }

    private func removeSpent(_ rings: inout [InflightRing]) {
        rings.removeAll { ring in
            let isSpent = !ring.hasUncommitted && !(0..<ring.slotsUsed).contains(where: ring.hasUnwrittenMarkers)
            if isSpent {
                ring.removeFile()
            }
            return isSpent
        }
    }

    /// Releases everything, after the thread's end. When everything is on disk, no repair will be needed.
    func close(isSynced: Bool) {
        streams.close(isSynced: isSynced)
        failing.removeAll()
        pacer.removeAll()
    }
}
