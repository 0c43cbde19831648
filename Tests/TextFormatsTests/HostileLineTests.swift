// SPDX-License-Identifier: Apache-2.0

import TestSupport
import TestTraits
import Testing

@testable import TextFormats

/// Lines that a guest makes to keep its readers busy. The limits of time are far above what is needed, and far below what
/// work that grows with the square of the line's length takes.
@Suite(.blocking) struct HostileLineTests {
    private static let size = 64 << 10

    private static func filled(_ start: String, _ unit: String, _ end: String = "") -> [UInt8] {
        let count = (size - start.utf8.count - end.utf8.count) / unit.utf8.count
        return Array((start + String(repeating: unit, count: count) + end).utf8)
    }

    private static func half(_ first: String, _ unit: String) -> [UInt8] {
        let text = String(repeating: first, count: size / 2 / first.utf8.count) + "\r"
        return filled(text, unit)
    }

    static let lines: [String: [UInt8]] = [
        "insertions": filled("x\r", "\u{1b}[512@"), "repeats": filled("x", "\u{1b}[512b"),
        "returns at the end": filled("x", "\r"), "deletions": half("text", "\u{1b}[P"),
        "erasures": half("text", "\u{1b}[2K"), "erasures of blanks": half("text", "\u{1b}[1K"),
        "row moves": half(" ", "\u{1b}[A\u{1b}[B"), "combining characters": filled("e", "\u{301}"),
        "repeated combining characters": filled("e\u{301}\u{301}\u{301}", "\u{301}\u{1b}[512b"),
        "repeats over text": half("text", "\u{1b}[2G\u{1b}[9999b"), "colours": filled("", "\u{1b}[38;5;1mx"),
        "tabs": filled("", "\u{1b}[512Ix\r"),
    ]

    @Test("a line costs in proportion to its length, and shows no more than a row has", arguments: lines.keys.sorted())
    func painting(name: String) throws {
        let line = try #require(Self.lines[name])
        for color in [false, true] {
            var shown: [UInt8] = []
            let time = processorTime {
                line.withUnsafeBytes { _ = DisplayedLine.append($0, color: color, to: &shown) }
            }
            #expect(time < 10)
            #expect(shown.count < 2 * line.count + 512 * 64)
        }
    }

    @Test("what an insertion moves out of the row counts as erased")
    func movedOut() {
        var shown: [UInt8] = []
        let line = Array((String(repeating: "x", count: 600) + "\r\u{1b}[512@").utf8)
        #expect(line.withUnsafeBytes { DisplayedLine.append($0, color: false, to: &shown) } == 512)
        #expect(shown.count(where: { $0 == UInt8(ascii: "x") }) == 88)
    }

    @Test("rows that may be a prompt are painted with little work", arguments: ["\u{1b}[512@", "\u{1b}[2G\u{1b}[512b"])
    func prompts(unit: String) {
        let row = Array(("x\r" + String(repeating: unit, count: 510 / unit.utf8.count)).utf8)
        let time = processorTime {
            for _ in 0..<2048 {
                row.withUnsafeBytes { _ = ShellPrompt.prompt(displayed: $0) }
            }
        }
        #expect(time < 30)
    }

    static let manyRows: [String: [UInt8]] = [
        "row moves": filled("", "x\u{1b}[A", String(repeating: "\r", count: size / 2)),
        "stamps": filled("", "[12345.678901] "), "saved cursors": filled("", "\u{1b}7x\u{1b}[A"),
        "returns": filled("", "x\r"),
    ]

    @Test("the rows of a line are found in proportion to its length", arguments: manyRows.keys.sorted())
    func rows(name: String) throws {
        let line = try #require(Self.manyRows[name])
        let time = processorTime {
            line.withUnsafeBytes { line in
                var rows = DisplayedRows(of: line)
                var at = 0
                while let next = rows.next(after: at) {
                    #expect(next > at)
                    at = next
                }
            }
        }
        #expect(time < 10)
    }
}
