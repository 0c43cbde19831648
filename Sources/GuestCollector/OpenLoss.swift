// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel

/// A loss of a guest's records that may go on. A marker is written when it begins, while it lasts as `GapMarkerPacing`
/// says, and when it ends; each counts what was lost since the one before. Without I/O; times are monotonic, in
/// microseconds.
struct OpenLoss {
    let reason: GapReason
    private let since: Timestamp
    /// What no marker counts yet.
    private var bytes = 0
    private var records = 0
    private var pacing = GapMarkerPacing()
    private var lastLoss: Int64

    /// A loss has ended when nothing was lost for so long.
    static let quietInterval: Int64 = 1_000_000

    /// A loss that begins at `since`, which is `now`.
    init(_ reason: GapReason, since: Timestamp, at now: Int64) {
        self.reason = reason
        self.since = since
        lastLoss = now
    }

    mutating func count(bytes: Int, records: Int, at now: Int64) {
        self.bytes += bytes
        self.records += records
        lastLoss = now
    }

    /// Whether nothing was lost for a while.
    func isQuiet(at now: Int64) -> Bool { now - lastLoss >= Self.quietInterval }

    /// The next marker of a loss that lasts, if it is due.
    mutating func takeMarker(at now: Int64) -> GapDetail? {
        guard pacing.isDue(at: now) else {
            return nil
        }
        defer {
            (bytes, records) = (0, 0)
            pacing.noteMarker(at: now)
        }
        return marker(isClosed: false)
    }

    /// The last marker.
    var closing: GapDetail { marker(isClosed: true) }

    private func marker(isClosed: Bool) -> GapDetail {
        GapDetail(reason: reason, bytes: UInt64(bytes), lines: UInt64(records), since: since, isClosed: isClosed)
    }
}
