// SPDX-License-Identifier: Apache-2.0

/// The records that an agent has and the collector has not acknowledged: a queue limited in bytes. When it is full the
/// oldest are dropped; their numbers are missing then, which tells the collector how many.
public struct Spool: Sendable {
    private var records: [[UInt8]?] = []
    /// The index of the first record; those before it are nil.
    private var start = 0
    /// The number of the first record; of the next one when the spool is empty.
    public private(set) var first: UInt64 = 1
    /// How many records had numbers in earlier sessions and are not in the spool any more.
    private var earlier: UInt64 = 0
    /// Memory of all records, in bytes.
    public private(set) var size = 0
    /// Records dropped since the beginning.
    public private(set) var dropped: UInt64 = 0
    public let limit: Int

    /// The memory of a record besides its bytes.
    static let overhead = 64

    public init(limit: Int) {
        self.limit = limit
    }

    public var count: Int { records.count - start }
    public var isEmpty: Bool { count == 0 }
    /// The number of the next record.
    var next: UInt64 { first + UInt64(count) }

    /// The ordinal number of the first record among all that were ever added; that of the next one when the spool is
    /// empty. A new session does not change a record's ordinal number.
    public var firstOrdinal: UInt64 { earlier + first }
    /// The ordinal number of the next record among all that were ever added.
    public var nextOrdinal: UInt64 { earlier + next }

    /// Adds a record, which gets the next number.
    public mutating func append(_ record: GuestRecord) {
        var record = record
        record.sequence = next
        append(encoded: record.encoded)
    }

    /// Adds a record that is encoded already.
    mutating func append(encoded: [UInt8]) {
        size += encoded.count + Self.overhead
        records.append(encoded)
        while size > limit, count > 1 {
            removeFirst()
            dropped += 1
        }
    }

    /// Removes the records up to the number `sequence`.
    mutating func acknowledge(_ sequence: UInt64) {
        while !isEmpty, first <= sequence {
            removeFirst()
        }
    }

    /// The encoded record of that number; nil when there is none.
    subscript(sequence: UInt64) -> [UInt8]? {
        guard sequence >= first, sequence < next else {
            return nil
        }
        return records[start + Int(sequence - first)]
    }

    /// Gives the records numbers from 1 on, for a new session.
    mutating func renumber() {
        let kept = records[start...].compactMap(\.self)
        let (dropped, earlier) = (dropped, earlier + first - 1)
        self = Spool(limit: limit)
        (self.dropped, self.earlier) = (dropped, earlier)
        for encoded in kept {
            // What this end encoded it can decode.
            if let record = encoded.withUnsafeBytes({ try? GuestRecord(decoding: $0) }) {
                append(record)
            }
        }
    }

    private mutating func removeFirst() {
        size -= (records[start]?.count ?? 0) + Self.overhead
        records[start] = nil
        start += 1
        first += 1
        if start > records.count / 2 {
            records.removeFirst(start)
            start = 0
        }
    }
}
