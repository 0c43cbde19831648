// SPDX-License-Identifier: Apache-2.0

import LogStore
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// What ends the waits of an output: commits, commands, the stop of the daemon, a time limit. For one waiting task.
final class WakeUps: Sendable {
    private struct State {
        var changes = StoreChanges.nothing
        var commands: [OutputCommand] = []
        var isStopped = false
        /// Whether commits end the present wait.
        var awaitsChanges = false
        /// The number of the present wait, so that an old timer ends none.
        var wait: UInt64 = 0
        var hasExpired = false
    }

    private let state = NIOLockedValueBox(State())
    private let signals: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (signals, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    var isStopped: Bool { state.withLockedValue { $0.isStopped } }

    /// Whether a command or the stop interrupts what the output does.
    var isInterrupted: Bool { state.withLockedValue { $0.isStopped || !$0.commands.isEmpty } }

    func add(_ changes: StoreChanges) {
        let wakes = state.withLockedValue { state in
            state.changes = state.changes.union(changes)
            return state.awaitsChanges
        }
        if wakes {
            continuation.yield()
        }
    }

    /// Passes a command to the output; false when it has stopped.
    func add(_ command: OutputCommand) -> Bool {
        let isAccepted = state.withLockedValue { state in
            guard !state.isStopped else {
                return false
            }
            state.commands.append(command)
            return true
        }
        continuation.yield()
        return isAccepted
    }

    func stop() {
        let left = state.withLockedValue { state in
            state.isStopped = true
            defer { state.commands = [] }
            return state.commands
        }
        continuation.yield()
        left.forEach { $0.whenDone("the daemon stops") }
    }

    func takeChanges() -> StoreChanges {
        state.withLockedValue { state in
            defer { state.changes = .nothing }
            return state.changes
        }
    }

    func takeCommand() -> OutputCommand? {
        state.withLockedValue { $0.commands.isEmpty ? nil : $0.commands.removeFirst() }
    }

    /// Waits until `microseconds` have passed (nil: no limit), a command comes, or the output stops; with `forChanges` also
    /// until the store changes. Returns whether the time has passed.
    func wait(microseconds: Int64?, forChanges: Bool = false) async -> Bool {
        let number = state.withLockedValue { state in
            state.awaitsChanges = forChanges
            state.wait += 1
            state.hasExpired = false
            return state.wait
        }
        let (state, continuation) = (state, continuation)
        let timer = microseconds.map { limit in
            MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: .microseconds(max(0, limit))) {
                state.withLockedValue { $0.hasExpired = $0.hasExpired || $0.wait == number }
                continuation.yield()
            }
        }
        defer { timer?.cancel() }
        var iterator = signals.makeAsyncIterator()
        while true {
            let (isDone, hasExpired) = state.withLockedValue { state in
                let hasChanged = forChanges && state.changes != .nothing
                return (state.isStopped || !state.commands.isEmpty || hasChanged || state.hasExpired, state.hasExpired)
            }
            if isDone || Task.isCancelled {
                return hasExpired
            }
            await iterator.next()
        }
    }
}
