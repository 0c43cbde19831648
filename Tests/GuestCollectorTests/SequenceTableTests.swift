// SPDX-License-Identifier: Apache-2.0

import GuestChannel
import LogModel
import LogStore
import TestTraits
import Testing

@testable import GuestCollector

@Suite(.blocking) struct SequenceTableTests {
    @Test("the sequences used last are known, and fit into a source position")
    func table() {
        var table = SequenceTable()
        for number in 1...20 as ClosedRange<UInt64> {
            table.set(SessionID(number, 0), to: number * 10)
        }
        table.set(SessionID(20, 0), to: 999)
        #expect(SequenceTable.limit == 6)
        #expect(table[SessionID(20, 0)] == 999 && table[SessionID(15, 0)] == 150 && table[SessionID(14, 0)] == nil)
        table.set(SessionID(15, 0), to: 151)
        table.set(SessionID(21, 0), to: 1)
        #expect(table[SessionID(15, 0)] == 151 && table[SessionID(16, 0)] == nil)
        #expect(table.encoded.count <= RecordDetail.maximumSourceLength)
        #expect(SequenceTable(decoding: table.encoded) == table)
        #expect(SequenceTable(decoding: SequenceTable().encoded) == SequenceTable())
    }

    @Test("a number that is not new is a repetition, unless the record was made later than all others")
    func times() {
        var table = SequenceTable()
        func number(_ value: UInt64, _ time: UInt64?) -> StoredRecord.Number {
            StoredRecord.Number(sequence: SessionID(1, 1), value: value, time: time)
        }
        #expect(!table.contains(number(1, 1)) && !table.contains(number(1, nil)))
        table.set(number(10, 100))
        table = SequenceTable(decoding: table.encoded)
        #expect(table.contains(number(10, 100)) && table.contains(number(1, 99)) && table.contains(number(5, nil)))
        #expect(!table.contains(number(10, 101)) && !table.contains(number(11, 1)))
        // The clock was set back; what was made before that is known still.
        table.set(number(11, 50))
        #expect(table.contains(number(10, 100)) && !table.contains(number(10, 101)))
        table.set(SessionID(2, 2), to: 1)
        table.set(number(9, 60))
        #expect(table.contains(number(9, 100)) && !table.contains(number(9, 101)))
    }

    @Test("the check of a session's last record is known, unless the record is missing")
    func checks() {
        var table = SequenceTable()
        #expect(table.check(of: SessionID(1, 1)) == nil)
        for check in [0, .max] as [UInt32] {
            table.set(StoredRecord.Number(sequence: SessionID(1, 1), value: 5, check: check))
            #expect(SequenceTable(decoding: table.encoded).check(of: SessionID(1, 1)) == check)
        }
        #expect(table.contains(StoredRecord.Number(sequence: SessionID(1, 1), value: 5, check: 7)))
        table.set(SessionID(1, 1), to: 6)
        #expect(table.check(of: SessionID(1, 1)) == nil && table[SessionID(1, 1)] == 6)
    }

    @Test("a table without stamps, of an earlier version, is read")
    func withoutStamps() {
        let old = [1] + SessionID(1, 1).bytes + [UInt8](bigEndian: UInt64(7)) + SessionID(2, 2).bytes
        let table = SequenceTable(decoding: old + [UInt8](bigEndian: UInt64(8)))
        #expect(table[SessionID(1, 1)] == 7 && table[SessionID(2, 2)] == 8)
        #expect(table.contains(StoredRecord.Number(sequence: SessionID(2, 2), value: 8, time: 1000)))
    }

    @Test("a position of another kind is an empty table")
    func foreign() {
        for position in [nil, [], [2], [3], [1, 2, 3], [2, 2, 3], Array("cursor".utf8)] as [[UInt8]?] {
            #expect(SequenceTable(decoding: position) == SequenceTable())
        }
    }
}
