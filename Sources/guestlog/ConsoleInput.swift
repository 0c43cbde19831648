// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import SystemIO

/// Reads standard input on a thread of its own, because reads block, and passes it to the joined session. Without a
/// session, input is dropped.
final class ConsoleInput: Sendable {
    private struct State {
        var session: AsyncStream<[UInt8]>.Continuation?
        var isJoined = false
        var isRead = false
        var hasEnded = false
    }

    private let isTerminal: Bool
    private let isDropped: Bool
    private let state = Mutex(State())

    /// Input from a terminal ends with ^], other input with its end. With `isDropped` all input is dropped.
    init(isTerminal: Bool, isDropped: Bool) {
        self.isTerminal = isTerminal
        self.isDropped = isDropped
    }

    /// Whether a session has joined.
    var isJoined: Bool { state.withLock(\.isJoined) }
    /// Whether the input has ended.
    var hasEnded: Bool { state.withLock(\.hasEnded) }

    /// The input for the next session.
    func begin() -> AsyncStream<[UInt8]> {
        let (stream, session) = AsyncStream<[UInt8]>.makeStream()
        state.withLock { state in
            state.session = session
            state.isJoined = false
            if state.hasEnded {
                session.finish()
            }
        }
        if isTerminal {
            read()
        }
        return stream
    }

    /// The session has joined: it gets input that is read from now on. Input that is not from a terminal is read from
    /// now on only, because it cannot be typed again.
    func join() {
        state.withLock { $0.isJoined = true }
        if !isTerminal, !isDropped {
            read()
        }
    }

    /// The session has ended.
    func leave() {
        state.withLock { state in
            state.session = nil
            state.isJoined = false
        }
    }

    private func read() {
        let isFirst = state.withLock { state in
            defer { state.isRead = true }
            return !state.isRead
        }
        if isFirst, (try? WorkerThread(name: "input") { self.readAll() }) == nil {
            end()
        }
    }

    private func readAll() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(STDIN_FILENO, &buffer, buffer.count)
            guard count > 0 else {
                return end()
            }
            let typed = buffer[..<count]
            let escape = isTerminal ? typed.firstIndex(of: Console.escape) : nil
            give(Array(typed[..<(escape ?? typed.endIndex)]))
            if escape != nil {
                return end()
            }
        }
    }

    private func give(_ typed: [UInt8]) {
        guard !isDropped, !typed.isEmpty else {
            return
        }
        state.withLock { state in
            if state.isJoined {
                state.session?.yield(typed)
            }
        }
    }

    private func end() {
        state.withLock { state in
            state.hasEnded = true
            state.session?.finish()
        }
    }
}
