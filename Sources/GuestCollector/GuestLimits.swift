// SPDX-License-Identifier: Apache-2.0

public import Capture

/// The limits of one guest. A guest that exceeds them is slowed down, or its records are dropped, with a gap in their
/// place; no other guest notices.
public struct GuestLimits: Hashable, Sendable {
    /// Bytes of records, as they are stored.
    public var bytes: RateLimit
    /// Records.
    public var records: RateLimit
    /// Maximum number of connections at a time.
    public var connections: Int

    /// 1 MiB and 10,000 records a second in the long run: more than a healthy guest logs.
    public static let standard = GuestLimits(
        bytes: RateLimit(rate: 1 << 20, burst: 16 << 20),
        records: RateLimit(rate: 10_000, burst: 100_000),
        connections: 16
    )

    public init(bytes: RateLimit, records: RateLimit, connections: Int) {
        self.bytes = bytes
        self.records = records
        self.connections = connections
    }
}

/// Whether a guest is within its rates.
struct GuestMeter {
    private var bytes: RateMeter
    private var records: RateMeter

    init(_ limits: GuestLimits, now: Int64) {
        bytes = RateMeter(limits.bytes, now: now)
        records = RateMeter(limits.records, now: now)
    }

    mutating func allows(at now: Int64) -> Bool {
        let isAllowed = (bytes.allows(at: now), records.allows(at: now))
        return isAllowed.0 && isAllowed.1
    }

    mutating func spend(bytes: Int, records: Int) {
        self.bytes.spend(bytes)
        self.records.spend(records)
    }
}
