// SPDX-License-Identifier: Apache-2.0

import TestTraits
import Testing

@testable import guestlog

@Suite("Tables", .blocking)
struct TableTests {
    @Test("columns are aligned by what a terminal shows, and the last is not padded")
    func aligned() {
        let text = Table.text([["NAME", "STATE", "X"], ["数据库", "ok", "y"], ["cafe\u{301}", "running", ""]])
        #expect(text == "NAME    STATE    X\n数据库  ok       y\ncafe\u{301}    running  \n")
        #expect(Table.text([]) == "")
    }

    @Test("on a narrow terminal the widest columns are cut, and times never")
    func narrow() {
        let long = String(repeating: "n", count: 100)
        let time = "2026-11-20 17:00:05Z"
        let rows = [["NAME", "LAST", "PROBLEM"], [long, time, String(repeating: "p", count: 60)]]
        for width in [50, 80, 120] {
            let lines = Table.text(rows, width: width).split(separator: "\n")
            #expect(lines.allSatisfy { $0.count <= width }, "\(width): \(lines)")
            #expect(lines[1].contains(time))
            #expect(lines[1].count == width)
        }
        // What cannot fit wraps.
        #expect(Table.text(rows, width: 20).split(separator: "\n")[1].contains(time))
        #expect(Table.text(rows, width: 300) == Table.text(rows))
    }
}
