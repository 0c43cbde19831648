import Synchronization
import SystemIO

/// How other threads reach a thread that sleeps when it has nothing to do: they wake it, post it a job, or end it.
///
/// Waking costs a call to the kernel only when the thread sleeps.
final class WorkerInbox<Worker>: Sendable {
    typealias Job = @Sendable (Worker) -> Void

    private let wakeEvent: WakeEvent
    private let isAsleep = Atomic<Bool>(false)
    private let jobs = Mutex<[Job]>([])
    private let stopping = Atomic<Bool>(false)

    init() throws(SystemError) {
        wakeEvent = try WakeEvent()
    }

    /// Wakes the thread if it sleeps; to be called after there is something for it.
    func wake() {
        if isAsleep.exchange(false, ordering: .acquiringAndReleasing) {
            wakeEvent.signal()
        }
    }

    /// Has the thread do `job`, soon.
    func post(_ job: @escaping Job) {
        jobs.withLock { $0.append(job) }
        isAsleep.store(false, ordering: .releasing)
        wakeEvent.signal()
    }

    /// Asks the thread to end.
    func stop() {
        stopping.store(true, ordering: .releasing)
        wakeEvent.signal()
    }

    /// Whether it was asked to.
    var isStopping: Bool { stopping.load(ordering: .acquiring) }

    /// On the thread: what was posted since this was last asked.
    func takeJobs() -> [Job] {
        jobs.withLock { jobs in
            let taken = jobs
            jobs.removeAll()
            return taken
        }
    }

    /// On the thread: sleeps until it is woken, or that many microseconds. Not at all when it was asked for something, or
    /// `hasWork`, since it last looked: whoever brings news after that sees it asleep, and wakes it.
    func sleep(microseconds: Int64?, unless hasWork: () -> Bool) {
        isAsleep.store(true, ordering: .sequentiallyConsistent)
        if !hasWork(), !isStopping, jobs.withLock({ $0.isEmpty }) {
            wakeEvent.sleep(microseconds: microseconds)
        }
        isAsleep.store(false, ordering: .releasing)
    }
}
