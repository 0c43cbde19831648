// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Decides which of an output's failures are reported as its problem, and logged. Without I/O.
///
/// Failures that pass at the next attempts are not reported, but a long pause is at once. A reported problem is replaced by
/// the latest one.
struct ReportedProblem: Sendable {
    /// A problem to be reported.
    struct Report: Hashable, Sendable {
        var words: String
        /// Whether it is logged too: not each of several in quick succession is.
        var isLogged: Bool
    }

    /// What is reported now; nil when nothing is.
    private(set) var words: String?
    private var isLogged = false
    private var failures = 0
    private var lastLogged: Int64?

    /// As many failures in a row are reported.
    private static let reportedFailures = 3
    /// A pause that is at least as long is reported at once, in microseconds.
    private static let longPause: Int64 = 60_000_000
    /// The minimum interval between two different problems in the log, in microseconds.
    private static let logInterval: Int64 = 60_000_000

    /// A problem in words, when the next attempt is `pause` microseconds after `now`.
    static func words(_ problem: String, pause: Int64, now: Timestamp) -> String {
        guard pause >= longPause else {
            return problem
        }
        return "\(problem); as the receiver asks, sent again at \(now.advanced(byMicroseconds: pause))"
    }

    /// A request has failed; `words` is the problem, `pause` the time until the next attempt, `now` the monotonic time, both
    /// in microseconds. Returns what is to be reported; nil when nothing is.
    mutating func fail(_ words: String, pause: Int64, now: Int64) -> Report? {
        failures += 1
        let isReported = failures >= Self.reportedFailures || pause >= Self.longPause || self.words != nil
        return isReported ? report(words, now: now) : nil
    }

    /// Reports a problem in any case; returns nil when it is reported already. One that was too soon for the log is logged
    /// later if it lasts.
    mutating func report(_ words: String, now: Int64) -> Report? {
        let mayLog = lastLogged.map { now - $0 >= Self.logInterval } ?? true
        guard words != self.words || !isLogged && mayLog else {
            return nil
        }
        (self.words, isLogged) = (words, mayLog)
        lastLogged = mayLog ? now : lastLogged
        return Report(words: words, isLogged: mayLog)
    }

    /// The failures have ended; returns whether one was reported.
    mutating func end() -> Bool {
        defer { self = ReportedProblem() }
        return words != nil
    }
}
