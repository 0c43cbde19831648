// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

/// Runs few tests of such suites at one time, the others after them.
///
/// Asynchronous tests all begin at once. Each one with a daemon of its own has some twenty threads and descriptors: all of
/// them together exceed limits of small machines (RLIMIT_NOFILE, fs.inotify.max_user_instances), and none of them gets
/// on.
public struct LimitedTrait: SuiteTrait, TestTrait, TestScoping {
    public var isRecursive: Bool { true }

    private static let permits = Permits(8)

    public func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @Sendable () async throws -> Void
    ) async throws {
        await Self.permits.take()
        defer { Self.permits.putBack() }
        try await function()
    }
}

extension Trait where Self == LimitedTrait {
    /// For suites of asynchronous tests that start daemons or outputs.
    public static var limited: Self { Self() }
}

/// A semaphore that blocks no thread.
private final class Permits: Sendable {
    private struct State {
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    init(_ count: Int) {
        state = Mutex(State(free: count))
    }

    func take() async {
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.free == 0 else {
                    state.free -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isFree {
                continuation.resume()
            }
        }
    }

    func putBack() {
        let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.waiting.isEmpty else {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}
