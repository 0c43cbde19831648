// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Synchronization
import SystemIO

/// The low-priority thread that compresses, syncs, and enforces retention.
final class SealerThread: @unchecked Sendable {
    // Sendable because the sealer is touched on the thread alone; the rest is a mutex, atomics and a wake event.

    /// The minimum interval between syncs, in microseconds.
    static let syncInterval: Int64 = 1_000_000
    /// The interval between checks of age limits.
    static let retentionInterval: Int64 = 3_600_000_000
    /// The delay of the next check after a failure.
    static let retryInterval: Int64 = 10_000_000

    /// How long a stop waits for pairs to be sealed; they are on disk in any case.
    static let stopTimeout: Int64 = 2_000_000

    private typealias Pair = (base: UInt64, stream: StreamID)

    private struct Queue {
        var pairs: [Pair] = []
        /// True at first too: the last writes of an earlier process may not be on disk.
        var isDirty = true
        /// Whether the next sync begins without regard to the interval.
        var isUrgent = false
        var whenOnDisk: [(stream: StreamID?, action: @Sendable () -> Void)] = []
        var jobs: [@Sendable (Sealer?) -> Void] = []
        /// Whether the thread runs no more jobs.
        var hasEnded = false
    }

    private let sealer: Sealer
    private let clock: any HostClock
    private let diagnostics: Diagnostics
    private let problems: Problems
    private let onFailedSync: Mutex<@Sendable () -> Void> = Mutex({})
    private let queue = Mutex(Queue())
    private let wakeEvent: WakeEvent
    private let stopping = Atomic<Bool>(false)
    private let hasSynced = Atomic<Bool>(true)
    private let lastSyncTook = Atomic<Int64>(0)

    init(
        sealer: Sealer,
        clock: any HostClock,
        diagnostics: Diagnostics,
        problems: Problems
    ) throws(SystemError) {
        self.sealer = sealer
        self.clock = clock
        self.diagnostics = diagnostics
        self.problems = problems
        wakeEvent = try WakeEvent()
    }

    /// Sets the action after a failed sync: it closes the active pairs.
    func setFailedSyncAction(_ action: @escaping @Sendable () -> Void) {
        onFailedSync.withLock { $0 = action }
    }

    /// Queues a closed pair; from the writer.
    func seal(_ base: UInt64, of stream: StreamID) {
        queue.withLock { $0.pairs.append((base, stream)) }
        wakeEvent.signal()
    }

    /// Notes a commit, to be synced within a second; from the writer.
    func noteCommit() {
        let wasClean = queue.withLock { queue in
            defer { queue.isDirty = true }
            return !queue.isDirty
        }
        if wasClean {
            wakeEvent.signal()
        }
    }

    /// Runs `action` on the thread after everything committed until now is on disk and no pair of `stream` waits to be
    /// sealed; the stream is forgotten then. The sync begins within a second, or at once if that `isUrgent`.
    func whenOnDisk(_ stream: StreamID?, isUrgent: Bool = false, _ action: @escaping @Sendable () -> Void) {
        queue.withLock { queue in
            queue.whenOnDisk.append((stream, action))
            queue.isDirty = true
            queue.isUrgent = queue.isUrgent || isUrgent
        }
        wakeEvent.signal()
    }

    /// Runs `job` on the thread; at or after the thread's end without the sealer, and after it on the calling thread.
    func perform(_ job: @escaping @Sendable (Sealer?) -> Void) {
        let hasEnded = queue.withLock { queue in
            if !queue.hasEnded {
                queue.jobs.append(job)
            }
            return queue.hasEnded
        }
        if hasEnded {
            job(nil)
        } else {
            wakeEvent.signal()
        }
    }

    /// Runs the jobs that are left; on the thread, at its end.
    func end() {
        let jobs = queue.withLock { queue in
            queue.hasEnded = true
            defer { queue.jobs.removeAll() }
            return queue.jobs
        }
        jobs.forEach { $0(nil) }
    }

    private func runJobs() {
        let jobs = queue.withLock { queue in
            defer { queue.jobs.removeAll() }
            return queue.jobs
        }
        jobs.forEach { $0(sealer) }
    }

    /// Whether the last sync succeeded; to be asked after the thread's end.
    var isSynced: Bool { hasSynced.load(ordering: .acquiring) }

    var syncDuration: Int64 { lastSyncTook.load(ordering: .relaxed) }

    /// Syncs what was committed after the thread's end; on the thread that ended it.
    func finish() {
        if queue.withLock({ $0.isDirty }) || sealer.isDirty {
            synchronize([])
        }
    }

    /// Ends the thread after the queue is empty, or `stopTimeout` has passed, and all is synced.
    func stop() {
        stopping.store(true, ordering: .releasing)
        wakeEvent.signal()
    }

    func run() {
        WorkerThread.lowerOwnPriority()
        var lastSync: Int64 = 0
        var nextRetention: Int64 = 0
        var lastSealing = Int64.max
        var backlog: ArraySlice<Pair> = []
        while true {
            let isStopping = stopping.load(ordering: .acquiring)
            let now = clock.monotonicMicroseconds()
            if isStopping, lastSealing == .max {
                lastSealing = now + Self.stopTimeout
            }
            if now >= nextRetention, !isStopping {
                let isDone = attempt("retention") { () throws(SystemError) in _ = try sealer.enforceRetention() }
                nextRetention = now + (isDone ? Self.retentionInterval : Self.retryInterval)
            }
            runJobs()
            if backlog.isEmpty {
                backlog = queue.withLock { queue in
                    defer { queue.pairs.removeAll() }
                    return queue.pairs[...]
                }
            }
            let next = now < lastSealing ? backlog.popFirst() : nil
            if let next {
                do throws(SystemError) {
                    try sealer.seal(next.base, of: next.stream)
                } catch {
                    report("sealing", error)
                    // The next sync seals the waiting pairs of all streams, and shows whether the failure persists.
                    queue.withLock { $0.isDirty = true }
                }
            }
            let (isMarked, isUrgent) = queue.withLock { ($0.isDirty, $0.isUrgent) }
            let isDirty = isMarked || sealer.isDirty
            let isDue = isUrgent || now - lastSync >= Self.syncInterval
            if isDirty, isStopping ? next == nil : isDue {
                lastSync = now
                synchronize(backlog)
            }
            if next != nil {
                continue
            }
            if isStopping {
                return
            }
            let untilSync = isDirty ? max(0, Self.syncInterval - (now - lastSync)) : nil
            wakeEvent.sleep(microseconds: min(untilSync ?? .max, nextRetention - now))
        }
    }

    private func synchronize(_ backlog: ArraySlice<Pair>) {
        let waiting = queue.withLock { queue in
            defer { queue.whenOnDisk.removeAll() }
            queue.isDirty = false
            queue.isUrgent = false
            return queue.whenOnDisk
        }
        let begun = clock.monotonicMicroseconds()
        defer { lastSyncTook.store(clock.monotonicMicroseconds() - begun, ordering: .relaxed) }
        do {
            let failure = try sealer.synchronize()
            hasSynced.store(true, ordering: .releasing)
            problems.clear("sync")
            if let failure {
                report("sealing", failure)
            } else {
                problems.clear("sealing")
            }
        } catch {
            hasSynced.store(false, ordering: .releasing)
            queue.withLock { $0.whenOnDisk.insert(contentsOf: waiting, at: 0) }
            if problems.raise("sync", "\(error)") {
                diagnostics.log(.error, "written data may not be on disk: \(error)")
            }
            onFailedSync.withLock { $0 }()
            return
        }
        for (stream, action) in waiting {
            if let stream, !forget(stream, backlog) {
                queue.withLock { queue in
                    queue.whenOnDisk.append((stream, action))
                    queue.isDirty = true
                }
            } else {
                action()
            }
        }
    }

    /// Forgets a stream without waiting pairs; returns whether it has none.
    private func forget(_ stream: StreamID, _ backlog: ArraySlice<Pair>) -> Bool {
        let isQueued = queue.withLock { $0.pairs.contains { $0.stream == stream } }
        return !isQueued && !backlog.contains { $0.stream == stream } && sealer.forget(stream)
    }

    private func attempt(_ what: String, _ body: () throws(SystemError) -> Void) -> Bool {
        do throws(SystemError) {
            try body()
            problems.clear(what)
            return true
        } catch {
            report(what, error)
            return false
        }
    }

    private func report(_ what: String, _ error: SystemError) {
        problems.report(what, "\(error)", .error, to: diagnostics)
    }
}
