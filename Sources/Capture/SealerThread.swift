import LogModel
import LogStore
import Synchronization
import SystemIO

/// The low-priority thread that compresses, syncs, and keeps the store within bounds.
final class SealerThread: @unchecked Sendable {
    // Sendable because the sealer is touched on the thread alone; the rest is a mutex, atomics and an alarm.

    /// At most one sync in this many microseconds.
    static let syncInterval: Int64 = 1_000_000
    /// How often age limits are looked at.
    static let retentionInterval: Int64 = 3_600_000_000
    /// How soon after a failure they are looked at again.
    static let retryInterval: Int64 = 10_000_000

    private struct Queue {
        var pairs: [(base: UInt64, stream: StreamID)] = []
        var isDirty = false
        var afterSync: [@Sendable (Sealer) -> Void] = []
    }

    private let sealer: Sealer
    private let clock: any HostClock
    private let diagnostics: Diagnostics
    private let problems: Problems
    private let onFailedSync: Mutex<@Sendable () -> Void> = Mutex({})
    private let queue = Mutex(Queue())
    private let alarm: Alarm
    private let stopping = Atomic<Bool>(false)
    private let isHasty = Atomic<Bool>(false)
    private let hasSynced = Atomic<Bool>(true)

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
        alarm = try Alarm()
    }

    /// What to do when a sync failed: close the active pairs.
    func setFailedSyncAction(_ action: @escaping @Sendable () -> Void) {
        onFailedSync.withLock { $0 = action }
    }

    /// Queues a closed pair; from the writer.
    func seal(_ base: UInt64, of stream: StreamID) {
        queue.withLock { $0.pairs.append((base, stream)) }
        alarm.ring()
    }

    /// Says that something was committed and wants a sync within a second; from the writer.
    func noteCommit() {
        let isNews = queue.withLock { queue in
            defer { queue.isDirty = true }
            return !queue.isDirty
        }
        if isNews {
            alarm.ring()
        }
    }

    /// Runs `action` on the thread, once everything written until now is on disk.
    func afterSync(_ action: @escaping @Sendable (Sealer) -> Void) {
        queue.withLock { queue in
            queue.afterSync.append(action)
            queue.isDirty = true
        }
        alarm.ring()
    }

    /// Whether the last sync put everything on disk; to be asked after the thread's end.
    var isSynced: Bool { hasSynced.load(ordering: .acquiring) }

    /// Ends the thread once the queue is empty and synced, or at once: then the next process seals what waits.
    func stop(atOnce: Bool) {
        isHasty.store(atOnce, ordering: .releasing)
        stopping.store(true, ordering: .releasing)
        alarm.ring()
    }

    func run() {
        WorkerThread.lowerOwnPriority()
        var lastSync: Int64 = 0
        var nextRetention: Int64 = 0
        var backlog: ArraySlice<(base: UInt64, stream: StreamID)> = []
        while true {
            let isStopping = stopping.load(ordering: .acquiring)
            if isStopping, isHasty.load(ordering: .acquiring) {
                return
            }
            let now = clock.monotonicMicroseconds()
            if now >= nextRetention, !isStopping {
                let isDone = attempt("retention") { () throws(SystemError) in _ = try sealer.enforceRetention() }
                nextRetention = now + (isDone ? Self.retentionInterval : Self.retryInterval)
            }
            if backlog.isEmpty {
                backlog = queue.withLock { queue in
                    defer { queue.pairs.removeAll() }
                    return queue.pairs[...]
                }
            }
            let next = backlog.popFirst()
            if let next {
                if !attempt("sealing", { () throws(SystemError) in try sealer.seal(next.base, of: next.stream) }) {
                    // The next sync seals what waits, and sees whether all is well again.
                    queue.withLock { $0.isDirty = true }
                }
            }
            let isDirty = queue.withLock { $0.isDirty } || sealer.isDirty
            if isDirty, isStopping ? next == nil : now - lastSync >= Self.syncInterval {
                let actions = queue.withLock { queue in
                    defer { queue.afterSync.removeAll() }
                    queue.isDirty = false
                    return queue.afterSync
                }
                lastSync = now
                synchronize(actions)
            }
            if next != nil {
                continue
            }
            if isStopping {
                return
            }
            let untilSync = isDirty ? max(0, Self.syncInterval - (now - lastSync)) : nil
            alarm.sleep(microseconds: min(untilSync ?? .max, nextRetention - now))
        }
    }

    private func synchronize(_ actions: [@Sendable (Sealer) -> Void]) {
        do {
            try sealer.synchronize()
            problems.clear("sync")
            if !sealer.isDirty {
                problems.clear("sealing")
            }
            hasSynced.store(true, ordering: .releasing)
            actions.forEach { $0(sealer) }
        } catch {
            hasSynced.store(false, ordering: .releasing)
            queue.withLock { $0.afterSync.insert(contentsOf: actions, at: 0) }
            if problems.raise("sync", "\(error)") {
                diagnostics.say(.error, "what was written may not be on disk: \(error)")
            }
            onFailedSync.withLock { $0 }()
        }
    }

    private func attempt(_ what: String, _ body: () throws(SystemError) -> Void) -> Bool {
        do throws(SystemError) {
            try body()
            problems.clear(what)
            return true
        } catch {
            if problems.raise(what, "\(error)") {
                diagnostics.say(.error, "\(what): \(error)")
            }
            return false
        }
    }
}
