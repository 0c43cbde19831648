// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// The level of a log message; the raw values are syslog's priorities.
public enum DiagnosticLevel: Int, Comparable, Sendable {
    case error = 3
    case warning = 4
    case notice = 5
    case info = 6
    case debug = 7

    public static func < (left: DiagnosticLevel, right: DiagnosticLevel) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// Writes the daemon's own log messages.
///
/// Any thread may log, the shards too: logging never waits for the reader of the messages. A repeated message is
/// written once a minute with a count, so that a persistent error cannot flood the journal. Names and paths in messages
/// may be chosen by others: control characters are escaped, so that none begins a line of its own.
public final class Diagnostics: Sendable {
    private struct Repeats {
        var last: [String: (time: Int64, suppressed: Int)] = [:]
    }

    private let clock: any HostClock
    private let threshold: Atomic<Int>
    private let sink: @Sendable (DiagnosticLevel, String) -> Void
    private let output: MessageOutput?
    private let repeats = Mutex(Repeats())
    private static let repeatWindow: Int64 = 60_000_000
    private static let repeatTableLimit = 1024

    /// Messages of the program `name` at `threshold` or above go to `sink`; by default standard error.
    public init(
        name: String = "guestlog",
        threshold: DiagnosticLevel = .notice,
        clock: any HostClock = SystemClock(),
        sink: (@Sendable (DiagnosticLevel, String) -> Void)? = nil
    ) {
        self.threshold = Atomic(threshold.rawValue)
        self.clock = clock
        let output = sink == nil ? MessageOutput(to: STDERR_FILENO, name: name) : nil
        self.output = output
        self.sink = sink ?? { level, message in output?.write(level, message) }
    }

    /// Waits until all messages are written, up to a limit; to be called before the process ends.
    public func flush() {
        for _ in 0..<Self.flushSteps where output?.isEmpty == false {
            WorkerThread.pause(microseconds: Self.flushStep)
        }
    }

    private static let flushSteps = 100
    private static let flushStep: UInt32 = 5000

    /// Sets the minimum level of messages.
    public func setThreshold(_ threshold: DiagnosticLevel) {
        self.threshold.store(threshold.rawValue, ordering: .relaxed)
    }

    /// Logs `message`, unless the same was logged less than a minute ago. Never blocks.
    public func log(_ level: DiagnosticLevel, _ message: @autoclosure () -> String) {
        guard level.rawValue <= threshold.load(ordering: .relaxed) else {
            return
        }
        let message = Self.escaped(message())
        let now = clock.monotonicMicroseconds()
        let suppressed: Int? = repeats.withLock { repeats in
            if let (time, count) = repeats.last[message], now - time < Self.repeatWindow {
                repeats.last[message] = (time, count + 1)
                return nil
            }
            let count = repeats.last[message]?.suppressed ?? 0
            if repeats.last.count >= Self.repeatTableLimit {
                repeats.last.removeAll()
            }
            repeats.last[message] = (now, 0)
            return count
        }
        if let suppressed {
            sink(
                level,
                suppressed == 0 ? message : "\(message) (repeated \(suppressed) times since it was last logged)"
            )
        }
    }

    /// Logs that a state has changed: always, because the last of such messages tells how it is now. The caller limits
    /// their number. Never blocks.
    public func logChange(_ level: DiagnosticLevel, _ message: @autoclosure () -> String) {
        if level.rawValue <= threshold.load(ordering: .relaxed) {
            sink(level, Self.escaped(message()))
        }
    }

    /// `message` with its control characters as `\u{…}`.
    private static func escaped(_ message: String) -> String {
        func isControl(_ scalar: Unicode.Scalar) -> Bool {
            scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
        }
        guard message.unicodeScalars.contains(where: isControl) else {
            return message
        }
        return message.unicodeScalars.reduce(into: "") { text, scalar in
            if isControl(scalar) {
                text += "\\u{" + String(scalar.value, radix: 16) + "}"
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
    }
}
