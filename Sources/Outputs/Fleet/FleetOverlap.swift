// SPDX-License-Identifier: Apache-2.0

import Query

/// Which records of repeated, overlapping reads are new: what hosts deliver late has an earlier time. Has no I/O.
struct FleetOverlap {
    private struct Key: Hashable {
        let id: RecordID
        let nanoseconds: Int64
    }

    private var seen: Set<Key> = []
    private var newest: Int64
    /// Nothing before was read, or is wanted.
    private var floor: Int64

    /// How much of the past is read again, in nanoseconds: what arrives later than this after newer records is not seen.
    static let span: Int64 = 30_000_000_000

    /// Reads of what follows `floor`, in nanoseconds.
    init(from floor: Int64) {
        self.floor = floor
        newest = floor
    }

    /// Where the next read begins.
    var start: Int64 { max(floor, newest - Self.span) }

    /// Nothing before `floor`, in nanoseconds, was read.
    mutating func raise(to floor: Int64) {
        self.floor = max(self.floor, floor)
        newest = max(newest, floor)
    }

    /// Begins to follow at the time `now`: where nothing was read, what was sent before is not awaited.
    mutating func begin(at now: Int64) {
        if seen.isEmpty {
            newest = max(newest, now)
        }
    }

    /// Notes records that were read at the time `present`, in nanoseconds; returns those that were not there before. A
    /// guest's clock that is fast gives records of the future, which must not hide what the others send.
    mutating func filterNew(_ records: [FleetRecord], at present: Int64) -> [FleetRecord] {
        let new = records.filter { seen.insert(Key(id: $0.id, nanoseconds: $0.nanoseconds)).inserted }
        newest = max(newest, min(present, new.map(\.nanoseconds).max() ?? newest))
        let start = start
        seen = seen.filter { $0.nanoseconds >= start }
        return new
    }
}
