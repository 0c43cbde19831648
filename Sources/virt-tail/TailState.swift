// SPDX-License-Identifier: Apache-2.0

import Glibc

/// When the program ends: a state machine without I/O. Times are monotonic, in microseconds.
///
/// A cause to stop begins a drain: what the log has is still written. The drain ends when there is no more, or when
/// its time has expired, because the reader does not read, or the log is too long.
struct TailState {
    enum Phase: Equatable {
        case running
        /// Ends when nothing is left and nothing has come for `quiet` since the cause, at the latest at `deadline`.
        case draining(StopReason, quiet: Int64, deadline: Int64)
        case ended(StopReason)
    }

    enum StopReason: Equatable, CustomStringConvertible {
        case signal(Int32)
        case socketGone
        case terminationFile
        /// Nobody reads the output any more.
        case outputClosed

        var description: String {
            switch self {
            case .signal(let number): number == SIGINT ? "SIGINT" : "SIGTERM"
            case .socketGone: "the console's socket is gone"
            case .terminationFile: "the termination file is there"
            case .outputClosed: "standard output is closed"
            }
        }
    }

    enum Event: Equatable {
        case signal(Int32)
        case socket(exists: Bool)
        case terminationFile(exists: Bool)
        /// KubeVirt 1.1 to 1.5: present while the VM runs.
        case runningFile(exists: Bool)
        case outputClosed
        /// Output was written.
        case progress
        /// Nothing is left to be read or written; the last bytes came `quietFor` microseconds ago.
        case drained(quietFor: Int64)
        case time
    }

    private(set) var phase = Phase.running
    /// When the first cause to stop was seen.
    private(set) var stoppedAt: Int64 = 0
    private let causes: TailOptions.StopCauses
    private var hasSeenSocket = false
    private var hasSeenRunningFile = false

    /// How long a drain may take after a signal, and how long without progress after another cause. The sum with what
    /// the end itself takes stays below a second.
    static let grace: Int64 = 800_000
    /// After QEMU's end, the log daemon still writes what was in its pipe.
    static let lastWrites: Int64 = 200_000

    init(stopOn causes: TailOptions.StopCauses) {
        self.causes = causes
    }

    mutating func handle(_ event: Event, at now: Int64) {
        switch event {
        case .signal(let number):
            if number == SIGINT || causes.contains(.signal) {
                stop(.signal(number), at: now)
            }
        case .socket(let exists):
            if !exists, hasSeenSocket, causes.contains(.socket) {
                stop(.socketGone, at: now)
            }
            hasSeenSocket = hasSeenSocket || exists
        case .terminationFile(let exists):
            if exists, causes.contains(.file) {
                stop(.terminationFile, at: now)
            }
        case .runningFile(let exists):
            if !exists, hasSeenRunningFile, causes.contains(.file) {
                stop(.terminationFile, at: now)
            }
            hasSeenRunningFile = hasSeenRunningFile || exists
        case .outputClosed:
            phase = .ended(.outputClosed)
        case .progress:
            if case .draining(let reason, let quiet, _) = phase, quiet > 0 {
                phase = .draining(reason, quiet: quiet, deadline: now + Self.grace)
            }
        case .drained(let passed):
            if case .draining(let reason, let quiet, _) = phase, min(passed, now - stoppedAt) >= quiet {
                phase = .ended(reason)
            }
        case .time:
            break
        }
        if case .draining(let reason, _, let deadline) = phase, now >= deadline {
            phase = .ended(reason)
        }
    }

    /// A second signal ends the program at once; one after another cause limits the drain.
    private mutating func stop(_ reason: StopReason, at now: Int64) {
        stoppedAt = phase == .running ? now : stoppedAt
        switch (phase, reason) {
        case (.running, .signal):
            phase = .draining(reason, quiet: 0, deadline: now + Self.grace)
        case (.running, _):
            phase = .draining(reason, quiet: Self.lastWrites, deadline: now + Self.grace)
        case (.draining(.signal, _, _), .signal):
            phase = .ended(reason)
        case (.draining, .signal):
            phase = .draining(reason, quiet: 0, deadline: now + Self.grace)
        case (.draining, _), (.ended, _):
            break
        }
    }

    var isEnded: Bool {
        if case .ended = phase { true } else { false }
    }

    /// Whether a missing socket matters.
    var awaitsSocket: Bool { causes.contains(.socket) && !hasSeenSocket }
}
