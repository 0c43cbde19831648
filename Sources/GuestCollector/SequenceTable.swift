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
        /// When the latest of the records was made; 0: unknown.
        var time: UInt64
    }

    /// The most recently used last.
    private var entries: [Entry] = []

    /// Maximum number of sequences: more do not fit into a source position.
    static let limit = (RecordDetail.maximumSourceLength - 1) / entrySize
    private static let entrySize = SessionID.size + 16
    /// The first byte of the encoded form.
    private static let version: UInt8 = 2
    /// The version without times. A journal's boots were one sequence in it: what a client of then sends again is stored
    /// once more.
    private static let versionWithoutTimes: UInt8 = 1

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
        return entry.time == 0 || number.time ?? 0 <= entry.time
    }

    /// Sets the number of `sequence`, which is the one used last then. The one that was used longest ago is forgotten.
    /// `time` is when the record was made; nil: it is not compared.
    mutating func set(_ sequence: SessionID, to number: UInt64, time: UInt64? = nil) {
        var entry = Entry(sequence: sequence, number: number, time: time ?? 0)
        if let place = entries.lastIndex(where: { $0.sequence == sequence }) {
            // A clock may be set back: repetitions of what was made before that are recognized too.
            entry.time = max(entry.time, entries[place].time)
            guard place < entries.count - 1 else {
                entries[place] = entry
                return
            }
            entries.remove(at: place)
        }
        entries.append(entry)
        entries.removeFirst(max(0, entries.count - Self.limit))
    }

    /// The position.
    var encoded: [UInt8] {
        [Self.version]
            + entries.flatMap { $0.sequence.bytes + [UInt8](bigEndian: $0.number) + [UInt8](bigEndian: $0.time) }
    }

    /// Decodes `position`; the table is empty when that is nil or of an unknown version.
    init(decoding position: [UInt8]?) {
        guard let position, let version = position.first else {
            return
        }
        let hasTimes = version == Self.version
        let size = hasTimes ? Self.entrySize : Self.entrySize - 8
        guard hasTimes || version == Self.versionWithoutTimes, (position.count - 1) % size == 0 else {
            return
        }
        for start in stride(from: 1, to: position.count, by: size) {
            let numbers = position[(start + SessionID.size)..<(start + size)]
            guard let sequence = SessionID(position[start..<start + SessionID.size]) else {
                continue
            }
            set(sequence, to: numbers.prefix(8).bigEndian, time: hasTimes ? numbers.dropFirst(8).bigEndian : nil)
        }
    }
}
