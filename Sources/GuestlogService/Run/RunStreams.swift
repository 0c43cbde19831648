// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The streams of `guestlog run`: copies input and output between this process's and the console, and passes signals on,
/// until the command has ended. Nothing here waits for standard output or standard error.
struct RunStreams: ~Copyable {
    /// What the hub does for the streams.
    struct Hub {
        /// Whether the command's terminal is open.
        var isConnected: () -> Bool
        /// Joins the console; returns the connection to it.
        var join: () throws(SystemError) -> Descriptor
        /// Reads what the terminal still has, and closes it.
        var close: () -> Void
        /// The hub's notices since the last call.
        var notices: () -> [String]
    }

    private let hub: Hub
    private let child: ChildProgram
    private let pseudoTerminal: PseudoTerminal
    private let signals: SignalQueue
    private let clock = SystemClock()
    private let terminal = TerminalDevice(STDIN_FILENO)
    private var modes: termios?
    private var input: RunInput
    private var end = RunEnd()
    private var copy: OutputCopy
    private var unsent = PendingOutput()
    /// Whether the hub has cut the connection off, because the output is too far behind: input waits for the next one.
    private var isCutOff = false
    private var messages = RunMessages()

    private static let inputSize = 4096

    /// Signals that are passed to the command.
    private static let passed = [SIGTERM, SIGINT, SIGHUP, SIGQUIT]
    /// Signals that are passed to the command if it handles them. SIGUSR2 makes a daemon replace itself, so it is sent to
    /// all processes of this program; a VM must not end by that.
    private static let passedIfHandled = [SIGUSR1, SIGUSR2]
    /// The size of the command's terminal when no standard stream is a terminal: programs divide by it.
    private static let defaultSize = TerminalSize(rows: 24, columns: 80)
    /// Signals after which job control is consulted, and those by which it would stop this process, and with it the
    /// guest.
    private static let jobControl = [SIGCONT, SIGWINCH, SIGTSTP, SIGTTIN, SIGTTOU]

    /// The signals that the streams handle, for the thread that starts the others.
    static func signals() throws(SystemError) -> SignalQueue { try SignalQueue(passed + passedIfHandled + jobControl) }

    /// Gives the command's terminal its first size.
    static func setSize(of pseudoTerminal: borrowing PseudoTerminal) {
        pseudoTerminal.setSize(defaultSize)
        copySize(to: pseudoTerminal)
    }

    /// Gives the command's terminal the size of the first of the standard streams that is a terminal.
    private static func copySize(to pseudoTerminal: borrowing PseudoTerminal) {
        let terminals = [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO].compactMap { TerminalDevice($0) }
        if let size = terminals.first?.size {
            pseudoTerminal.setSize(size)
        }
    }

    /// Streams of `child`, whose terminal is `pseudoTerminal`, and of a `console` connection to the hub.
    init(
        of child: consuming ChildProgram,
        _ pseudoTerminal: consuming PseudoTerminal,
        _ console: consuming Descriptor,
        _ signals: consuming SignalQueue,
        _ hub: Hub
    ) throws(SystemError) {
        self.hub = hub
        self.child = child
        self.pseudoTerminal = pseudoTerminal
        self.signals = signals
        input = RunInput(isTerminal: terminal != nil)
        copy = try OutputCopy(from: console, to: STDOUT_FILENO)
    }

    /// Runs until the command has ended; returns its exit status, or 128 and the signal that ended it.
    consuming func run() throws(SystemError) -> Int32 {
        var hasEnded = false
        while end.state != .ended {
            let hasInput = !unsent.isEmpty
            let readsInput = input.isRead && !hasInput && !isCutOff
            var polled = [
                pollfd(end.state == .closed ? -1 : copy.ended.raw),
                pollfd(hasEnded ? -1 : child.ended.raw),
                pollfd(signals.raw),
                pollfd(readsInput ? STDIN_FILENO : -1),
                pollfd(hasInput && !isCutOff ? copy.console : -1, POLLOUT),
                pollfd(messages.isEmpty ? -1 : STDERR_FILENO, POLLOUT),
            ]
            _ = poll(&polled, nfds_t(polled.count), timeout)
            if polled[1].revents != 0 {
                hasEnded = true
                end.commandEnded(at: now)
            }
            if polled[2].revents != 0 {
                handleSignals()
            }
            if polled[3].revents != 0 {
                readInput()
            }
            if polled[4].revents != 0 {
                sendInput()
            }
            if polled[5].revents != 0 {
                messages.write()
            }
            checkInput()
            if polled[0].revents != 0 {
                try perform(end.copyEnded(isConnected: hub.isConnected()))
            }
            try perform(end.due(written: copy.written, at: now))
        }
        releaseTerminal()
        report(hub.notices())
        if let failure = copy.failure {
            report(["\(failure); the output is only in the log"])
        }
        messages.writeAll()
        return child.wait()
    }

    private var now: Int64 { clock.monotonicMicroseconds() }

    /// Milliseconds until something is due; -1: nothing is.
    private var timeout: Int32 {
        let untilDeadline = end.deadline.map { Int32(clamping: max(0, $0 - now) / 1000 + 1) }
        return [untilDeadline, isInputChecked ? input.interval : nil].compactMap { $0 }.min() ?? -1
    }

    /// Whether the input is checked after its interval: while it can reach the command.
    private var isInputChecked: Bool { end.state == .running && unsent.isEmpty && !isCutOff }

    private mutating func perform(_ actions: [RunEnd.Action]) throws(SystemError) {
        for action in actions {
            switch action {
            case .rejoin:
                report(hub.notices())
                copy = try OutputCopy(from: hub.join(), to: STDOUT_FILENO)
                isCutOff = false
            case .closeConsole:
                report(hub.notices())
                hub.close()
            case .reportUnwritten:
                let missing = "the last \(copy.unwritten) bytes are only in the log"
                report(["the reader of standard output does not read; \(missing)"])
            }
        }
    }

    private mutating func report(_ lines: [String]) {
        lines.forEach { messages.add($0, isRaw: modes != nil) }
        messages.write()
    }

    // MARK: - Signals and job control

    private mutating func handleSignals() {
        while let signal = signals.take() {
            if Self.passed.contains(signal) {
                child.send(signal)
                end.asked()
            } else if Self.passedIfHandled.contains(signal) {
                if child.handles(signal) {
                    child.send(signal)
                }
            } else if signal == SIGCONT || signal == SIGWINCH {
                perform(input.resumed(isForeground: terminal?.isForeground ?? false))
                Self.copySize(to: pseudoTerminal)
            }
        }
    }

    private mutating func consultJobControl() {
        if let terminal {
            perform(input.checked(isForeground: terminal.isForeground))
        }
    }

    private mutating func perform(_ action: RunInput.Action?) {
        switch action {
        case .takeTerminal:
            let before = terminal?.makeRaw()
            modes = modes ?? before
            Self.copySize(to: pseudoTerminal)
        case .sendEnd:
            if let character = pseudoTerminal.endOfFile {
                unsent.append(CollectionOfOne(character))
                sendInput()
            }
        case nil:
            break
        }
    }

    private mutating func releaseTerminal() {
        if let terminal, let modes, input.state == .foreground, terminal.isForeground {
            terminal.restore(modes)
        }
        modes = nil
    }

    // MARK: - Input

    private mutating func readInput() {
        // Input of another job is not taken away from it.
        consultJobControl()
        guard input.isRead else {
            return
        }
        var buffer = [UInt8](repeating: 0, count: Self.inputSize)
        let count = read(STDIN_FILENO, &buffer, buffer.count)
        if count > 0 {
            unsent.append(buffer[..<count])
            sendInput()
        } else if count == 0 || errno != EAGAIN && errno != EINTR {
            input.ended()
        }
    }

    /// Sends what the console takes. No more is read before that is empty.
    private mutating func sendInput() {
        if !unsent.write(to: copy.console) {
            isCutOff = true
        }
    }

    private mutating func checkInput() {
        guard isInputChecked else {
            return
        }
        switch input.state {
        case .background:
            consultJobControl()
        case .ending:
            let isAwaited = pseudoTerminal.endOfFile != nil && pseudoTerminal.isRead(by: child.process)
            perform(input.checked(isAwaited: isAwaited))
        case .open, .foreground, .closed:
            break
        }
    }
}
