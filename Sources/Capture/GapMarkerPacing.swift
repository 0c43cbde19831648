// SPDX-License-Identifier: Apache-2.0

/// When the next marker of a gap that lasts is written: the first at once, and then one every ten seconds. Times are
/// monotonic, in microseconds.
public struct GapMarkerPacing: Sendable {
    private var lastMarker: Int64?

    /// The interval between markers.
    static let interval: Int64 = 10_000_000

    /// The pacing of a gap without a marker.
    public init() {}

    /// Whether a marker is due.
    public func isDue(at now: Int64) -> Bool { lastMarker.map { now - $0 >= Self.interval } ?? true }

    /// Records that one was written.
    public mutating func noteMarker(at now: Int64) { lastMarker = now }
}
