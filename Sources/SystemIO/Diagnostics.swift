import Glibc
import Synchronization

/// How much a message of ours matters; the raw values are syslog's priorities.
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

/// Where the daemon's own messages go.
///
/// Any thread may speak, the shards too: nobody who does waits for whoever listens. A message that repeats itself is
/// written once a minute with a count, so that a broken disk cannot flood the journal. Names and paths in it are
/// others' to choose: control characters are escaped, so that none begins a line of its own.
public final class Diagnostics: Sendable {
    private struct Repeats {
        var last: [String: (time: Int64, suppressed: Int)] = [:]
    }

    private let clock: any HostClock
    private let threshold: Atomic<Int>
    private let sink: @Sendable (DiagnosticLevel, String) -> Void
    private let repeats = Mutex(Repeats())
    private static let repeatWindow: Int64 = 60_000_000
    private static let repeatTableLimit = 1024

    /// Messages at `threshold` or more important go to `sink`; by default standard error.
    public init(
        threshold: DiagnosticLevel = .notice,
        clock: any HostClock = SystemClock(),
        sink: (@Sendable (DiagnosticLevel, String) -> Void)? = nil
    ) {
        self.threshold = Atomic(threshold.rawValue)
        self.clock = clock
        self.sink = sink ?? MessageOutput(to: STDERR_FILENO).write
    }

    /// From now on messages at `threshold` or more important are said.
    public func setThreshold(_ threshold: DiagnosticLevel) {
        self.threshold.store(threshold.rawValue, ordering: .relaxed)
    }

    /// Says `message`, unless the same was said less than a minute ago. Never blocks.
    public func say(_ level: DiagnosticLevel, _ message: @autoclosure () -> String) {
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
            sink(level, suppressed == 0 ? message : "\(message) (\(suppressed) times more since it was last said)")
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

/// A descriptor that messages are written to, a line each: with systemd's `<N>` prefix when its journal listens there,
/// plain otherwise.
///
/// A line is written only where it fits at once: a journal that has stopped, a terminal that is paused, a pipe that
/// nobody reads cost the lines they do not take, and the next one tells how many those were. A regular file takes every
/// line, in its own time.
final class MessageOutput: Sendable {
    private let descriptor: Int32
    private let isJournal = getenv("JOURNAL_STREAM") != nil
    private let dropped = Mutex(0)

    /// A pipe that is writable takes as many bytes without blocking: PIPE_BUF.
    private static let lineLimit = 4096

    /// Messages to `descriptor`, which stays the caller's.
    init(to descriptor: Int32) {
        self.descriptor = descriptor
    }

    @Sendable func write(_ level: DiagnosticLevel, _ message: String) {
        dropped.withLock { dropped in
            if dropped > 0, put(.warning, "\(dropped) messages before this one were lost: nobody read them") {
                dropped = 0
            }
            if dropped > 0 || !put(level, message) {
                dropped += 1
            }
        }
    }

    /// Writes a line if there is room for it now; whether there was.
    private func put(_ level: DiagnosticLevel, _ message: String) -> Bool {
        var room = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&room, 1, 0) == 1, room.revents & Int16(POLLOUT) != 0 else {
            return false
        }
        let prefix = isJournal ? "<\(level.rawValue)>" : "guestlog: "
        let line = (prefix + message).utf8.prefix(Self.lineLimit - 1) + [UInt8(ascii: "\n")]
        return Array(line).withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } > 0
    }
}
