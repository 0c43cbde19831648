// SPDX-License-Identifier: Apache-2.0

import GuestChannel
import LogModel
import LogStore

/// Up to which number the records of each sequence are stored, for the sequences that were used last: an agent's
/// sessions, or a journal's sequence ids. It is the source position of a stream, so it is committed with the records.
struct SequenceTable: Hashable, Sendable {
    private struct Entry: Hashable, Sendable {
        var sequence: SessionID
        var number: UInt64
    }

    /// The most recently used last.
    private var entries: [Entry] = []

    /// Maximum number of sequences: more do not fit into a source position.
    static let limit = (RecordDetail.maximumSourceLength - 1) / entrySize
    private static let entrySize = SessionID.size + 8
    /// The first byte of the encoded form.
    private static let version: UInt8 = 1

    init() {}

    /// The highest stored number of `sequence`; nil when it is unknown.
    subscript(sequence: SessionID) -> UInt64? {
        entries.last { $0.sequence == sequence }?.number
    }

    /// Sets the number of `sequence`, which is the one used last then. The one that was used longest ago is forgotten.
    mutating func set(_ sequence: SessionID, to number: UInt64) {
        if entries.last?.sequence == sequence {
            entries[entries.count - 1].number = number
            return
        }
        entries.removeAll { $0.sequence == sequence }
        entries.append(Entry(sequence: sequence, number: number))
        entries.removeFirst(max(0, entries.count - Self.limit))
    }

    /// The position.
    var encoded: [UInt8] {
        [Self.version] + entries.flatMap { $0.sequence.bytes + [UInt8](bigEndian: $0.number) }
    }

    /// Decodes `position`; the table is empty when that is nil or of another version.
    init(decoding position: [UInt8]?) {
        guard let position, position.first == Self.version, (position.count - 1) % Self.entrySize == 0 else {
            return
        }
        for start in stride(from: 1, to: position.count, by: Self.entrySize) {
            guard let sequence = SessionID(position[start..<start + SessionID.size]) else {
                continue
            }
            set(sequence, to: position[(start + SessionID.size)..<(start + Self.entrySize)].bigEndian)
        }
    }
}
