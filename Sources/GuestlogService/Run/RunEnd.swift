// SPDX-License-Identifier: Apache-2.0

/// When `guestlog run` ends: a state machine without descriptors. Each event returns the actions that follow from it.
///
/// It ends as its command does: processes that keep the command's terminal open are waited for only briefly, and
/// standard output only as long as it takes something. Times are in microseconds of the monotonic clock.
struct RunEnd {
    enum State: Hashable {
        /// The command runs, and its terminal is open.
        case running
        /// The command runs, and no process has its terminal.
        case closed
        /// The command has ended. Another process may have its terminal, until that time at the latest.
        case closing(until: Int64)
        /// The console is closed. Standard output gets the rest; it must have taken more than `written` by then.
        case flushing(written: Int, until: Int64)
        case ended
    }

    enum Action: Hashable {
        /// Read what the terminal still has, and close it.
        case closeConsole
        /// Join the console again: this process read too slowly.
        case rejoin
        /// Report what standard output has not taken.
        case reportUnwritten
    }

    private(set) var state = State.running
    private var isAsked = false

    /// How long a terminal may outlive the command.
    private static let terminalTimeAfterExit: Int64 = 200_000
    /// How long standard output may take nothing: after the command has ended by itself, and after a signal.
    private static let stuckTime: Int64 = 3_000_000
    private static let askedStuckTime: Int64 = 1_000_000

    /// When `due` is to be called; nil: not without another event.
    var deadline: Int64? {
        switch state {
        case .closing(let until), .flushing(_, let until): until
        case .running, .closed, .ended: nil
        }
    }

    /// A signal that asks the command to end was passed to it.
    mutating func asked() {
        isAsked = true
    }

    mutating func commandEnded(at now: Int64) {
        switch state {
        case .running: state = .closing(until: now + Self.terminalTimeAfterExit)
        case .closed: state = .ended
        case .closing, .flushing, .ended: break
        }
    }

    /// All output was copied, and the copy's source is closed: because the terminal is, or, when the console is still
    /// connected, because this process read too slowly.
    mutating func copyEnded(isConnected: Bool) -> [Action] {
        switch state {
        case .running, .closing:
            guard !isConnected else {
                return [.rejoin]
            }
            state = state == .running ? .closed : .ended
            return []
        case .flushing:
            state = .ended
            return []
        case .closed, .ended:
            return []
        }
    }

    /// The deadline has passed; standard output has taken `written` bytes so far.
    mutating func due(written: Int, at now: Int64) -> [Action] {
        let stuckTime = isAsked ? Self.askedStuckTime : Self.stuckTime
        switch state {
        case .closing(let until) where now >= until:
            state = .flushing(written: written, until: now + stuckTime)
            return [.closeConsole]
        case .flushing(let before, let until) where now >= until:
            guard written == before else {
                state = .flushing(written: written, until: now + stuckTime)
                return []
            }
            state = .ended
            return [.reportUnwritten]
        case .running, .closed, .closing, .flushing, .ended:
            return []
        }
    }
}
