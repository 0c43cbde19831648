// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import SystemIO
import TextFormats

/// Reads standard input on a thread of its own, because reads block, and passes it to the joined session. Without a
/// session, input is dropped.
final class ConsoleInput: Sendable {
    private struct State {
        var session: AsyncStream<[UInt8]>.Continuation?
        var isJoined = false
        var isRead = false
        var hasEnded = false
    }

    /// The keys of a terminal; nil when the input comes from elsewhere.
    private let keys: ConsoleKeys?
    private let isDropped: Bool
    private let descriptor: Int32
    private let onCommand: @Sendable (ConsoleKeys.Event) -> Void
    private let state = Mutex(State())

    /// Milliseconds after which the escape key leaves, when no other key follows it.
    private static let commandTime: Int32 = 1000

    /// Input from a terminal has `keys` and ends when they leave, other input with its end. With `isDropped` all input
    /// is dropped. `onCommand` gets the keys' commands, on the input's thread. `descriptor` stays the caller's.
    init(
        keys: ConsoleKeys?,
        isDropped: Bool,
        from descriptor: Int32 = STDIN_FILENO,
        onCommand: @escaping @Sendable (ConsoleKeys.Event) -> Void
    ) {
        self.keys = keys
        self.isDropped = isDropped
        self.descriptor = descriptor
        self.onCommand = onCommand
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
        if keys != nil {
            read()
        }
        return stream
    }

    /// The session has joined: it gets input that is read from now on. Input that is not from a terminal is read from
    /// now on only, because it cannot be typed again.
    func join() {
        state.withLock { $0.isJoined = true }
        if keys == nil, !isDropped {
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
        var keys = keys
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            if keys?.isUndecided ?? false {
                if waitForInput(Self.commandTime) == 0 {
                    _ = keys?.timedOut()
                    return end()
                }
            }
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            guard count > 0 else {
                guard count < 0, errno == EAGAIN || errno == EINTR else {
                    return end()
                }
                // Another program that has the same terminal or pipe may have made it non-blocking.
                _ = waitForInput(-1)
                continue
            }
            for event in keys?.decode(buffer[..<count]) ?? [.input(Array(buffer[..<count]))] {
                switch event {
                case .input(let typed): give(typed)
                case .leave: return end()
                case .sysRq, .showClients, .sendBreak, .help: onCommand(event)
                }
            }
        }
    }

    /// Waits until there is input or its end, for `milliseconds` (-1: no limit); returns what poll(2) does.
    private func waitForInput(_ milliseconds: Int32) -> Int32 {
        var input = pollfd(descriptor)
        return poll(&input, 1, milliseconds)
    }

    private func give(_ typed: [UInt8]) {
        guard !isDropped else {
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
