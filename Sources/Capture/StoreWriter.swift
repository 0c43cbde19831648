// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO

/// The one thread that writes to a file system: moves the shards' rings into the store and the plain files.
/// `CommitPacer` decides when bytes are committed. When the file system hangs, only this thread is blocked.
final class StoreWriter: @unchecked Sendable {
    // Sendable because all but the inbox, the announcements and the pulse is touched on the thread alone.

    let rings: [InflightRing]
    var orphans = Orphans()
    /// When the data of streams without a new source is recovered; monotonic microseconds.
    var orphanDeadline = Int64.max
    /// Signalled when few rings of ended processes are left.
    let recovered = OneShot()
    let clock: any HostClock
    let diagnostics: Diagnostics
    let problems: Problems
    let notifier: CommitNotifier
    let sealer: SealerThread
    private let fileLimit: Int

    private let inbox: WorkerInbox<StoreWriter>
    /// Called when a VM has no open stream any more and everything of it is on disk; set before the thread begins.
    var onReleased: (VMIdentity) -> Void = { _ in }
    /// Detects a blocked disk.
    let pulse: WriterPulse

    var scan: [UInt64] = []
    let streams: StreamTable
    var pacer = CommitPacer()
    /// Streams with a plain file that have new entries in this turn.
    private var inPlainFiles: [StreamSink] = []
    /// Streams with a failure to be retried.
    var failing: [ObjectIdentifier: any OpenStream] = [:]
    /// Streams about whose boots a pause will decide.
    var awaitingQuiet: [ObjectIdentifier: StreamSink] = [:]
    var deferred = DeferredWork()
    private var idlePairs = IdlePairs()
    private var turnPause = TurnPause()
    private var flushesSinceFileCheck = 0
    let reserve: Reserve
    /// Whether the disk is full: the reserve was released, and only markers are written until it can be acquired again.
    var isDiskFull = false
    var nextReserveAttempt: Int64 = 0
    /// Whether a lock of another process is waited for, because what is queued has to be committed now.
    private(set) var waitsForLocks = false
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 64)

    init(
        store: Store,
        rings: [InflightRing],
        clock: any HostClock,
        diagnostics: Diagnostics,
        problems: Problems,
        notifier: CommitNotifier,
        sealer: SealerThread,
        hostBoot: String,
        quota: @escaping @Sendable (VMIdentity) -> Quota,
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
        let vms = OpenVMs(of: store, clock: clock, hostBoot: hostBoot, quota: quota, diagnostics: diagnostics)
        streams = StreamTable(vms, rings: rings.count)
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

    func run() {
        _ = reserve.acquire()
        while !inbox.isStopping {
            let now = clock.monotonicMicroseconds()
            let start = scan.reduce(0, &+)
            if !turn(at: now, takesAll: false) {
                sleep(now)
            } else if let pause = turnPause.pause(after: scan.reduce(0, &+) &- start, at: now) {
                WorkerThread.pause(microseconds: pause)
            }
        }
        waitsForLocks = true
        doAllDeferred()
        let ends = rings.map(\.published)
        repeat {
            _ = turn(at: clock.monotonicMicroseconds(), takesAll: true)
        } while zip(scan, ends).contains { $0 < $1 }
        endReplays(at: clock.monotonicMicroseconds())
    }

    /// Commits the remaining contents of the rings and records all losses, after the shards and the thread have ended;
    /// on the thread that ended them.
    func finish() {
        waitsForLocks = true
        streams.sinks.forEach { $0.retryNow() }
        while turn(at: clock.monotonicMicroseconds(), takesAll: true) {}
        doAllDeferred()
        endReplays(at: clock.monotonicMicroseconds())
        flushLossCounters(at: clock.monotonicMicroseconds())
        advanceTails()
    }

    /// Takes a part of the rings' entries and commits the streams that are due, or all; returns whether there was
    /// anything.
    func turn(at now: Int64, takesAll: Bool) -> Bool {
        pulse.begin(at: now)
        var didWork = runJobs()
        didWork = drain(at: now) || didWork
        recover(at: now, takesAll: takesAll)
        for sink in pacer.takeDue(at: now, all: takesAll || isPressed) {
            flush(sink, at: now)
        }
        if takesAll {
            streams.allRecordSinks.forEach { commit($0, at: now) }
        }
        didWork = doDeferred(at: now) || didWork
        decideAfterQuiet(at: now)
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
        times.append(contentsOf: awaitingQuiet.values.compactMap(\.quietDeadline))
        if let due = pacer.nextDue {
            times.append(due)
        }
        if let due = idlePairs.due {
            times.append(due)
        }
        if orphanDeadline < .max {
            times.append(orphanDeadline)
        }
        if let due = deferred.due {
            times.append(due)
        }
        inbox.sleep(microseconds: times.min().map { max(0, $0 - now) }) {
            zip(rings, scan).contains { $0.entry(at: $1) != nil }
        }
    }

    /// Takes entries from the rings; returns whether there were any.
    func drain(at now: Int64) -> Bool {
        var didWork = false
        for (number, ring) in rings.enumerated() {
            let start = scan[number]
            while scan[number] - start < Self.bytesPerTurn, let entry = ring.entry(at: scan[number]) {
                scan[number] = entry.end
                dispatch(entry, ring: ring, number: number, at: now)
                pulse.step()
            }
            didWork = didWork || scan[number] > start
        }
        for sink in inPlainFiles {
            sink.writePlain(scratch)
            pulse.step()
        }
        inPlainFiles.removeAll(keepingCapacity: true)
        return didWork
    }

    /// Bytes taken from one ring in a turn, before their space is released and the other rings have their turn.
    static let bytesPerTurn: UInt64 = 256 << 10

    private func dispatch(_ entry: InflightRing.Entry, ring: InflightRing, number: Int, at now: Int64) {
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

    /// Runs `body`, in which a lock of another process is waited for.
    func waitingForLocks(_ body: () -> Void) {
        let before = waitsForLocks
        waitsForLocks = true
        body()
        waitsForLocks = before
    }

    // MARK: - Commits

    func flush(_ sink: StreamSink, at now: Int64) {
        sink.flush(scratch, at: now)
        pulse.step()
        awaitingQuiet[ObjectIdentifier(sink)] = sink.quietDeadline == nil ? nil : sink
        hasWritten(sink)
    }

    /// Decides about boots of streams that have been quiet.
    private func decideAfterQuiet(at now: Int64) {
        for (id, sink) in awaitingQuiet where (sink.quietDeadline ?? now) <= now {
            if sink.hasPending {
                flush(sink, at: now)
            } else {
                awaitingQuiet[id] = nil
                sink.decideBoots(at: now)
                hasWritten(sink)
            }
        }
    }

    /// Notifies followers of a commit, or schedules a retry after a failure.
    func hasWritten(_ stream: any OpenStream) {
        failing[ObjectIdentifier(stream)] = stream.retryAt == nil ? nil : stream
        guard let id = stream.id, let writer = stream.writer else {
            return
        }
        seal(writer, id)
        idlePairs.note(stream, at: stream.lastCommit)
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

    var isPressed: Bool {
        rings.contains { $0.used > $0.capacity / 2 }
    }

    private func retryFailing(at now: Int64) {
        // At the start the disk may have had no room for the reserve.
        if !reserve.isHeld, now >= nextReserveAttempt {
            isDiskFull = !reserve.acquire() && isDiskFull
            nextReserveAttempt = now + StreamSink.retryInterval
        }
        for stream in failing.values {
            stream.retry(at: now)
            if let sink = stream as? StreamSink, sink.isSuspended {
                flush(sink, at: now)
            }
            if stream.retryAt == nil {
                hasWritten(stream)
                release(stream)
            }
        }
    }

    private func closeIdlePairs(at now: Int64) {
        guard let due = idlePairs.due, due <= now else {
            return
        }
        for stream in idlePairs.take(at: now, all: streams.all) {
            if let writer = stream.writer, let id = stream.id {
                writer.roll()
                seal(writer, id)
            }
        }
    }

    func advanceTails() {
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
}
