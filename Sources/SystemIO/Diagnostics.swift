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
/// On standard error with systemd's `<N>` prefix when its journal listens there, plain otherwise. A message that
/// repeats itself is written once a minute with a count, so that a broken disk cannot flood the journal.
public final class Diagnostics: Sendable {
    private struct Repeats {
        var last: [String: (time: Int64, suppressed: Int)] = [:]
    }

    private let clock: any HostClock
    private let threshold: DiagnosticLevel
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
        self.threshold = threshold
        self.clock = clock
        let prefixed = getenv("JOURNAL_STREAM") != nil
        self.sink =
            sink ?? { level, message in
                let line = (prefixed ? "<\(level.rawValue)>" : "guestlog: ") + message + "\n"
                _ = Array(line.utf8).withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            }
    }

    /// Says `message`, unless the same was said less than a minute ago.
    public func say(_ level: DiagnosticLevel, _ message: @autoclosure () -> String) {
        guard level <= threshold else {
            return
        }
        let message = message()
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
            sink(level, suppressed == 0 ? message : "\(message) (\(suppressed) times more in the last minute)")
        }
    }
}
