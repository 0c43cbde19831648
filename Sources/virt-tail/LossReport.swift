// SPDX-License-Identifier: Apache-2.0

import RotatingFile

/// Sums up gaps, so that a log that loses much is not reported at each rotation. Times are monotonic, in microseconds.
struct LossReport {
    private var gaps = 0
    private var bytes: UInt64 = 0
    /// Whether the size of a gap is unknown, which may then be 0.
    private var isPartlyUnknown = false
    private var reason = FollowGap.Reason.removed
    private var next: Int64 = 0

    /// The shortest time between two reports.
    static let interval: Int64 = 10_000_000

    mutating func add(_ gap: FollowGap) {
        gaps += 1
        reason = gap.reason
        if let count = gap.bytes {
            bytes += count
        } else {
            isPartlyUnknown = true
        }
    }

    /// When the next report is due; nil when there is nothing to report.
    var due: Int64? { gaps == 0 ? nil : next }

    /// The report, if there is something to report and the last one is long enough ago, or this is the end.
    mutating func take(at now: Int64, isEnd: Bool = false) -> String? {
        guard gaps > 0, isEnd || now >= next else {
            return nil
        }
        let amount =
            switch (bytes, isPartlyUnknown) {
            case (0, _): "bytes may be"
            case (_, true): "at least \(bytes) bytes are"
            case (_, false): "\(bytes) bytes are"
            }
        let places = gaps == 1 ? "" : " in \(gaps) places"
        let report = "\(amount) missing\(places): \(reason)"
        (gaps, bytes, isPartlyUnknown) = (0, 0, false)
        next = now + Self.interval
        return report
    }
}
