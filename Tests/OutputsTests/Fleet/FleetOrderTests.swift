// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Query
import Testing

@testable import Outputs

@Suite struct FleetOrderTests {
    @Test("a prompt without an answer does not keep many other records, and its rest is not lost")
    func unanswered() {
        let stream = FleetStream(vm: VMIdentity(name: "web"), stream: .console0)
        let folder = StreamID(vm: "web", stream: .console0)
        func record(_ offset: UInt64, end: UInt64? = nil, _ text: String, continues: Bool = false) -> FleetRecord {
            let id = RecordID(folder, Cursor(offset: offset), pieceEnd: end)
            let time = Int64(offset + 1) * 1_000_000_000
            var record = FleetRecord(stream: stream, id: id, nanoseconds: time, text: Array(text.utf8))
            (record.isPartial, record.continuesPiece) = (end != nil, continues)
            return record
        }
        var order = FleetOrder([stream])
        func added(_ records: [FleetRecord], _ end: Int64) -> [String] {
            order.add(records, completeUntil: end).map { String(decoding: $0.text, as: UTF8.self) }
        }
        let pieces = [
            record(0, end: 3, "log"), record(3, end: 6, "in:", continues: true), record(6, "x", continues: true),
        ]
        #expect(added(Array(pieces[..<2]), 5_000_000_000) == [])
        #expect(added([pieces[2]], 9_000_000_000) == ["login:x"])
        #expect(added([record(8, "next")], .max) == ["next"])
        // Not what begins there after a boot.
        order = FleetOrder([stream])
        #expect(added([pieces[0], record(3, "boot")], 60_000_000_000) == ["log", "boot"])
        order = FleetOrder([stream], limit: 1)
        #expect(added(Array(pieces[..<2]), 1) == ["login:"])
        #expect(added([pieces[2]], .max) == ["x"])
    }
}
