// SPDX-License-Identifier: Apache-2.0

import Synchronization
import SystemIO

/// Wakes, posts jobs to, and ends a thread that sleeps when it has no work.
///
/// Waking makes a system call only when the thread sleeps.
final class WorkerInbox<Worker>: Sendable {
    typealias Job = @Sendable (Worker) -> Void

    private let wakeEvent: WakeEvent
    private let isAsleep = Atomic<Bool>(false)
    private let jobs = Mutex<[Job]>([])
    private let stopping = Atomic<Bool>(false)

    init() throws(SystemError) {
        wakeEvent = try WakeEvent()
    }

    /// Wakes the thread if it sleeps; to be called after there is work.
    func wake() {
        if isAsleep.exchange(false, ordering: .acquiringAndReleasing) {
            wakeEvent.signal()
        }
    }

    /// Runs `job` on the thread.
    func post(_ job: @escaping Job) {
        jobs.withLock { $0.append(job) }
        isAsleep.store(false, ordering: .releasing)
        wakeEvent.signal()
    }

    func stop() {
        stopping.store(true, ordering: .releasing)
        wakeEvent.signal()
    }

    /// Whether `stop` was called.
    var isStopping: Bool { stopping.load(ordering: .acquiring) }

    /// On the thread: the jobs posted since the last call.
    func takeJobs() -> [Job] {
        jobs.withLock { jobs in
            let taken = jobs
            jobs.removeAll()
            return taken
        }
    }

    /// On the thread: sleeps until it is woken, or that many microseconds. Returns at once when there are jobs, or
    /// `hasWork` returns true: work that arrives after this check finds the thread asleep, and wakes it.
    func sleep(microseconds: Int64?, unless hasWork: () -> Bool) {
        isAsleep.store(true, ordering: .sequentiallyConsistent)
        if !hasWork(), !isStopping, jobs.withLock({ $0.isEmpty }) {
            wakeEvent.sleep(microseconds: microseconds)
        }
        isAsleep.store(false, ordering: .releasing)
    }
}
