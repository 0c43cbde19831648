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
        func isStored(_ number: UInt64, _ time: UInt64?) -> Bool {
            table.contains(StoredRecord.Number(sequence: SessionID(1, 1), value: number, time: time))
        }
        #expect(!isStored(1, 1) && !isStored(1, nil))
        table.set(SessionID(1, 1), to: 10, time: 100)
        table = SequenceTable(decoding: table.encoded)
        #expect(isStored(10, 100) && isStored(1, 99) && isStored(5, nil))
        #expect(!isStored(10, 101) && !isStored(11, 1))
        // The clock was set back; what was made before that is known still.
        table.set(SessionID(1, 1), to: 11, time: 50)
        #expect(isStored(10, 100) && !isStored(10, 101))
        table.set(SessionID(2, 2), to: 1)
        table.set(SessionID(1, 1), to: 9)
        #expect(isStored(9, 100) && !isStored(9, 101))
    }

    @Test("a table without times, of an earlier version, is read")
    func withoutTimes() {
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
