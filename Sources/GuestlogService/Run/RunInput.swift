// SPDX-License-Identifier: Apache-2.0

/// What `guestlog run` does with its standard input: a state machine without descriptors. Each event returns the action
/// that follows from it.
struct RunInput {
    enum State: Hashable {
        /// A pipe or a file is read.
        case open
        /// A terminal in raw mode is read.
        case foreground
        /// A terminal that belongs to another job is left alone (job control, credentials(7)).
        case background
        /// A pipe or a file has ended; the command is told when it waits for more. The next check is after that many
        /// milliseconds.
        case ending(Int32)
        /// A terminal has hung up.
        case closed
    }

    enum Action: Hashable {
        /// Set raw mode, and pass the window's size on.
        case takeTerminal
        /// Send the character that ends a terminal's input.
        case sendEnd
    }

    private(set) var state: State
    private let isTerminal: Bool

    /// Milliseconds between two checks for what no event announces: that the terminal belongs to this job now, or that
    /// the command waits for input.
    private static let foregroundInterval: Int32 = 500
    private static let firstEndInterval: Int32 = 20
    private static let longestEndInterval: Int32 = 5000

    init(isTerminal: Bool) {
        self.isTerminal = isTerminal
        state = isTerminal ? .background : .open
    }

    /// Whether standard input is to be read.
    var isRead: Bool { state == .open || state == .foreground }

    /// After how many milliseconds `checked` is to be called; nil: after another event only.
    var interval: Int32? {
        switch state {
        case .background: Self.foregroundInterval
        case .ending(let interval): interval
        case .open, .foreground, .closed: nil
        }
    }

    /// Job control was consulted: before each read, after SIGCONT and SIGWINCH, and after the interval.
    mutating func checked(isForeground: Bool) -> Action? {
        switch state {
        case .background where isForeground:
            state = .foreground
            return .takeTerminal
        case .foreground where !isForeground:
            state = .background
            return nil
        case .open, .foreground, .background, .ending, .closed:
            return nil
        }
    }

    /// The process was continued, or the window's size has changed: a shell may have set the terminal's modes meanwhile.
    mutating func resumed(isForeground: Bool) -> Action? {
        if state == .foreground, isForeground {
            return .takeTerminal
        }
        return checked(isForeground: isForeground)
    }

    /// A read returned nothing.
    mutating func ended() {
        state = isTerminal ? .closed : .ending(Self.firstEndInterval)
    }

    /// After the end: whether the command waits for a line was determined. Each read gets an end of its own, as from a
    /// file; one that waits is told at once.
    mutating func checked(isAwaited: Bool) -> Action? {
        guard case .ending(let interval) = state else {
            return nil
        }
        state = .ending(isAwaited ? Self.firstEndInterval : min(2 * interval, Self.longestEndInterval))
        return isAwaited ? .sendEnd : nil
    }
}
