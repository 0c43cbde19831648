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
    /// The time of the collector's thread that a record may take, in nanoseconds: as much as storing one takes all of the
    /// daemon's threads together (docs/guest-agent.md).
    var recordTime = 10_000
    /// The time that a byte of a record may take beyond that, in nanoseconds.
    var byteTime = 20

    /// 1 MiB and 10,000 records a second in the long run: more than a healthy guest logs.
    public static let `default` = GuestLimits(
        bytes: RateLimit(rate: 1 << 20, burst: 16 << 20),
        records: RateLimit(rate: 10_000, burst: 100_000),
        connections: 16
    )

    public init(bytes: RateLimit, records: RateLimit, connections: Int) {
        self.bytes = bytes
        self.records = records
        self.connections = connections
    }

    /// The time of the collector's thread, in nanoseconds: what the records and bytes of the other limits may take. Much
    /// of what a guest can send becomes no record, and takes time nevertheless.
    var time: RateLimit {
        func time(_ records: Int, _ bytes: Int) -> Int {
            Int(min(Double(records) * Double(recordTime) + Double(bytes) * Double(byteTime), 1e18))
        }
        return RateLimit(rate: time(records.rate, bytes.rate), burst: time(records.burst, bytes.burst))
    }
}

/// Whether a guest is within its rates.
struct GuestMeter {
    private var bytes: RateMeter
    private var records: RateMeter
    private var time: RateMeter

    init(_ limits: GuestLimits, now: Int64) {
        bytes = RateMeter(limits.bytes, now: now)
        records = RateMeter(limits.records, now: now)
        time = RateMeter(limits.time, now: now)
    }

    mutating func allows(at now: Int64) -> Bool {
        let isAllowed = (bytes.allows(at: now), records.allows(at: now), time.allows(at: now))
        return isAllowed.0 && isAllowed.1 && isAllowed.2
    }

    /// Whether the guest takes much more time than it may, though its records are dropped.
    mutating func isExhausted(at now: Int64) -> Bool {
        !time.allows(at: now) && time.debt > time.limit.burst
    }

    mutating func spend(bytes: Int, records: Int) {
        self.bytes.spend(bytes)
        self.records.spend(records)
    }

    /// Counts the thread's time. At most one second's worth of debt beyond the burst is counted: otherwise the guest
    /// would be refused long after it exceeded the limit.
    mutating func spend(nanoseconds: Int64) {
        time.spend(Int(nanoseconds))
        let most = time.limit.burst + time.limit.rate
        time.spend(min(0, most - time.debt))
    }
}
