// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import NIOPosix

/// Threads for reading files, shared fairly: clients take turns, and no client gets all threads.
final class ReaderThreads: Sendable {
    private typealias Job = @Sendable (_ isRunning: Bool) -> Void

    private struct State {
        var running: [Client: Int] = [:]
        var total = 0
        var waiting: [Client: [Job]] = [:]
        /// The clients in `waiting`, in the order of their turns.
        var order: [Client] = []

        /// The next job: that of the first client that uses less than its share of threads.
        mutating func next() -> (Client, Job)? {
            guard total < ReaderThreads.count,
                let index = order.firstIndex(where: { running[$0, default: 0] < ReaderThreads.share })
            else {
                return nil
            }
            let client = order.remove(at: index)
            guard var jobs = waiting.removeValue(forKey: client) else {
                return nil
            }
            let job = jobs.removeFirst()
            if !jobs.isEmpty {
                waiting[client] = jobs
                order.append(client)
            }
            running[client, default: 0] += 1
            total += 1
            return (client, job)
        }

        mutating func finish(_ client: Client) {
            let left = (running[client] ?? 1) - 1
            running[client] = left == 0 ? nil : left
            total -= 1
        }
    }

    private let pool = NIOThreadPool(numberOfThreads: ReaderThreads.count)
    private let state = NIOLockedValueBox(State())

    private static let count = 3
    /// Maximum number of threads of one client.
    private static let share = 2

    /// The client has closed its connection, so the result is not needed.
    struct ClientLeft: Error {}

    init() {
        pool.start()
    }

    deinit {
        pool.shutdownGracefully { _ in }
    }

    /// Runs `body` for `client` on a thread that may wait for files. When its turn comes and `isWanted` returns false,
    /// `body` is not run and `ClientLeft` is thrown.
    func run<Value: Sendable>(
        for client: Client,
        while isWanted: @escaping @Sendable () -> Bool,
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { (result: CheckedContinuation<Value, any Error>) in
            state.withLockedValue { state in
                if state.waiting[client] == nil {
                    state.order.append(client)
                }
                state.waiting[client, default: []].append { isRunning in
                    result.resume(
                        with: Result {
                            guard isRunning, isWanted() else {
                                throw ClientLeft()
                            }
                            return try body()
                        }
                    )
                }
            }
            dispatch()
        }
    }

    private func dispatch() {
        while let (client, job) = state.withLockedValue({ $0.next() }) {
            pool.submit { [self] isRunning in
                job(isRunning == .active)
                state.withLockedValue { $0.finish(client) }
                dispatch()
            }
        }
    }
}

/// Reads files for one request.
struct RequestReader: Sendable {
    let threads: ReaderThreads
    let client: Client
    /// Whether the response is still needed.
    let isWanted: @Sendable () -> Bool

    /// Runs `body` on a reader thread, when it is the client's turn.
    func read<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await threads.run(for: client, while: isWanted, body)
    }
}
