// SPDX-License-Identifier: Apache-2.0

import GuestChannel
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
        #expect(SequenceTable.limit == 8)
        #expect(table[SessionID(20, 0)] == 999 && table[SessionID(13, 0)] == 130 && table[SessionID(12, 0)] == nil)
        table.set(SessionID(13, 0), to: 131)
        table.set(SessionID(21, 0), to: 1)
        #expect(table[SessionID(13, 0)] == 131 && table[SessionID(14, 0)] == nil)
        #expect(table.encoded.count <= RecordDetail.maximumSourceLength)
        #expect(SequenceTable(decoding: table.encoded) == table)
        #expect(SequenceTable(decoding: SequenceTable().encoded) == SequenceTable())
    }

    @Test("a position of another kind is an empty table")
    func foreign() {
        for position in [nil, [], [2], [1, 2, 3], Array("cursor".utf8)] as [[UInt8]?] {
            #expect(SequenceTable(decoding: position) == SequenceTable())
        }
    }
}
