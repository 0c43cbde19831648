// SPDX-License-Identifier: Apache-2.0

import Synchronization
import SystemIO
import Testing

/// Runs tests that block or compute for long on threads of their own, not on Swift's cooperative threads.
///
/// There is one cooperative thread per core. Two tests that wait for a disk would occupy all of them on a small
/// machine, and the servers of the asynchronous tests would not respond for minutes.
public struct BlockingTrait: SuiteTrait, TestTrait, TestScoping {
    public var isRecursive: Bool { true }

    public func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(BlockingExecutor.shared) { try await function() }
    }
}

extension Trait where Self == BlockingTrait {
    /// For every suite of synchronous tests.
    public static var blocking: Self { Self() }
}

/// Four threads that run one job after another.
private final class BlockingExecutor: TaskExecutor {
    static let shared = BlockingExecutor()

    private let jobs = Mutex<[UnownedJob]>([])
    /// Signalled once per job.
    private let hasJob = Semaphore()

    private init() {
        for _ in 0..<4 {
            do throws(SystemError) {
                _ = try WorkerThread(name: "test") { [self] in run() }
            } catch {
                fatalError("no thread for the tests: \(error)")
            }
        }
    }

    private func run() -> Never {
        while true {
            hasJob.wait()
            jobs.withLock { $0.removeFirst() }.runSynchronously(on: asUnownedTaskExecutor())
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
        hasJob.signal()
    }
}
