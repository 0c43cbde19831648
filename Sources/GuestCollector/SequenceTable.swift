// SPDX-License-Identifier: Apache-2.0

import GuestChannel
import LogModel
import LogStore

/// Up to which number the records of each sequence are stored, for the sequences that were used last: an agent's
/// sessions, or the boots in a journal. It is the source position of a stream, so it is committed with the records.
struct SequenceTable: Hashable, Sendable {
    private struct Entry: Hashable, Sendable {
        var sequence: SessionID
        var number: UInt64
        /// Of a boot in a journal: when the latest of the records was made. Of an agent's session: the last record's
        /// check, with `hasCheck`. 0: unknown.
        var stamp: UInt64
    }

    /// The most recently used last.
    private var entries: [Entry] = []

    /// Maximum number of sequences: more do not fit into a source position.
    static let limit = (RecordDetail.maximumSourceLength - 1) / entrySize
    private static let entrySize = SessionID.size + 16
    /// The first byte of the encoded form.
    private static let version: UInt8 = 2
    /// The version without stamps. A journal's boots were one sequence in it: what a client of then sends again is stored
    /// once more.
    private static let versionWithoutStamps: UInt8 = 1
    private static let hasCheck: UInt64 = 1 << 32

    init() {}

    /// The highest stored number of `sequence`; nil when it is unknown.
    subscript(sequence: SessionID) -> UInt64? {
        entries.last { $0.sequence == sequence }?.number
    }

    /// Whether the record with that number is stored. One that was made later than all of its sequence is not: the guest
    /// was set back to a snapshot, and gives numbers again.
    func contains(_ number: StoredRecord.Number) -> Bool {
        guard let entry = entries.last(where: { $0.sequence == number.sequence }), number.value <= entry.number else {
            return false
        }
        return entry.stamp == 0 || number.time ?? 0 <= entry.stamp
    }

    /// The check of the last stored record of an agent's session; nil when it is unknown.
    func check(of session: SessionID) -> UInt32? {
        let stamp = entries.last { $0.sequence == session }?.stamp ?? 0
        return stamp >= Self.hasCheck ? UInt32(truncatingIfNeeded: stamp) : nil
    }

    /// Sets the number of the sequence of a record that will be stored.
    mutating func set(_ number: StoredRecord.Number) {
        var stamp = number.check.map { Self.hasCheck | UInt64($0) } ?? 0
        if let time = number.time {
            // A clock may be set back: repetitions of what was made before that are recognized too.
            stamp = max(time, entries.last { $0.sequence == number.sequence }?.stamp ?? 0)
        }
        set(number.sequence, to: number.value, stamp: stamp)
    }

    /// Sets the number of `sequence`, which is the one used last then. The one that was used longest ago is forgotten.
    mutating func set(_ sequence: SessionID, to number: UInt64, stamp: UInt64 = 0) {
        let entry = Entry(sequence: sequence, number: number, stamp: stamp)
        if entries.last?.sequence == sequence {
            entries[entries.count - 1] = entry
            return
        }
        entries.removeAll { $0.sequence == sequence }
        entries.append(entry)
        entries.removeFirst(max(0, entries.count - Self.limit))
    }

    /// The position.
    var encoded: [UInt8] {
        [Self.version]
            + entries.flatMap { $0.sequence.bytes + [UInt8](bigEndian: $0.number) + [UInt8](bigEndian: $0.stamp) }
    }

    /// Decodes `position`; the table is empty when that is nil or of an unknown version.
    init(decoding position: [UInt8]?) {
        guard let position, let version = position.first else {
            return
        }
        let hasStamps = version == Self.version
        let size = hasStamps ? Self.entrySize : Self.entrySize - 8
        guard hasStamps || version == Self.versionWithoutStamps, (position.count - 1) % size == 0 else {
            return
        }
        for start in stride(from: 1, to: position.count, by: size) {
            let numbers = position[(start + SessionID.size)..<(start + size)]
            guard let sequence = SessionID(position[start..<start + SessionID.size]) else {
                continue
            }
            set(sequence, to: numbers.prefix(8).bigEndian, stamp: hasStamps ? numbers.dropFirst(8).bigEndian : 0)
        }
    }
}
