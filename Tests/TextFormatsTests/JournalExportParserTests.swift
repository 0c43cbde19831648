// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import TextFormats

@Suite(.blocking) struct JournalExportParserTests {
    private static func binary(_ name: String, _ value: [UInt8], size: UInt64? = nil) -> [UInt8] {
        let size = size ?? UInt64(value.count)
        let bytes = stride(from: 0, to: 64, by: 8).map { UInt8(truncatingIfNeeded: size >> UInt64($0)) }
        return Array((name + "\n").utf8) + bytes + value + [0x0a]
    }

    /// The events of a stream that arrives in pieces of that size.
    private func events(
        _ bytes: [UInt8],
        pieces: Int = .max,
        limits: JournalExportParser.Limits = JournalExportParser.Limits()
    ) throws -> [JournalExportParser.Event] {
        var parser = JournalExportParser(limits: limits)
        var events: [JournalExportParser.Event] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            rest.prefix(pieces).withUnsafeBytes { parser.append($0) }
            rest = rest.dropFirst(pieces)
            while let event = try parser.next() {
                events.append(event)
            }
        }
        return events
    }

    private func entry(_ fields: (String, String)..., isTruncated: Bool = false) -> JournalExportParser.Event {
        .entry(
            JournalEntry(
                fields.map { JournalEntry.Field(Array($0.0.utf8), Array($0.1.utf8)) },
                isTruncated: isTruncated
            )
        )
    }

    @Test("text and binary values, in pieces of any size", arguments: [1, 2, 7, 64, .max])
    func values(_ pieces: Int) throws {
        let stream =
            Array("__REALTIME_TIMESTAMP=1700000000000000\nMESSAGE=a=b\n".utf8)
            + Self.binary("MESSAGE", Array("two\nlines".utf8)) + Self.binary("EMPTY", [])
            + Array("\n\n\n_PID=1\n\n".utf8)
        #expect(
            try events(stream, pieces: pieces) == [
                entry(
                    ("__REALTIME_TIMESTAMP", "1700000000000000"),
                    ("MESSAGE", "a=b"),
                    ("MESSAGE", "two\nlines"),
                    ("EMPTY", "")
                ),
                entry(("_PID", "1")),
            ]
        )
    }

    @Test("a field without a valid name is omitted, and its entry is flagged", arguments: [1, 5, .max])
    func badNames(_ pieces: Int) throws {
        let long = String(repeating: "A", count: 65)
        let binary = String(decoding: Self.binary("b d", Array("two\n\nlines".utf8)), as: UTF8.self)
        for bad in ["1A=x\n", "a b=x\n", "=x\n", long + "=x\n", "\u{e9}=x\n", "the second line of a text\n", binary] {
            let stream = Array("OLD=1\n\nX=1\n\(bad)Y=2\n\nMESSAGE=next\n\n".utf8)
            let flagged = entry(("X", "1"), ("Y", "2"), isTruncated: true)
            #expect(
                try events(stream, pieces: pieces) == [entry(("OLD", "1")), flagged, entry(("MESSAGE", "next"))],
                "\(bad)"
            )
        }
    }

    @Test("an entry without any valid field is a fault, and what follows it is read", arguments: [1, 5, .max])
    func faults(_ pieces: Int) throws {
        let stream = Array("a b=x\n=y\n\nMESSAGE=next\n\n".utf8)
        #expect(try events(stream, pieces: pieces) == [.fault(.badName), entry(("MESSAGE", "next"))])
    }

    @Test("an entry with a value that is longer than its size ends there, flagged", arguments: [1, 5, .max])
    func wrongSize(_ pieces: Int) throws {
        let stream = Self.binary("A", Array("xy".utf8)).dropLast() + Array("z\nB=1\n\nMESSAGE=next\n\n".utf8)
        #expect(
            try events(stream, pieces: pieces) == [entry(("A", "xy"), isTruncated: true), entry(("MESSAGE", "next"))]
        )
    }

    @Test(
        "entries that begin while they are to be omitted are counted only, whatever is in them",
        arguments: [1, 5, .max]
    )
    func omitted(_ pieces: Int) throws {
        var parser = JournalExportParser()
        func take(_ bytes: [UInt8]) throws -> [JournalExportParser.Event] {
            var events: [JournalExportParser.Event] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                rest.prefix(pieces).withUnsafeBytes { parser.append($0) }
                rest = rest.dropFirst(pieces)
                while let event = try parser.next() {
                    events.append(event)
                }
            }
            return events
        }
        #expect(try take(Array("A=1\nB".utf8)).isEmpty)
        parser.omitsEntries = true
        // The entry that has begun is kept.
        #expect(try take(Array("=2\n\n".utf8)) == [entry(("A", "1"), ("B", "2"))])
        #expect(
            try take(Array("C=1\n\n\n1=fault\n\n".utf8) + Self.binary("D", Array("\n\nE=1\n\n".utf8))) == [
                .fault(.badName)
            ]
        )
        #expect(parser.takeOmitted() == (1, 3 + 7))
        parser.omitsEntries = false
        // The one that has begun is omitted to its end.
        #expect(try take(Array("F=1\n\nG=1\n\n".utf8)) == [entry(("G", "1"))])
        #expect(parser.takeOmitted() == (1, 3))
        #expect(parser.takeOmitted() == (0, 0))
    }

    @Test("a value that claims more than any value has ends the stream; none is allocated for")
    func claims() {
        for size in [UInt64(2) << 30, .max] {
            #expect(throws: JournalExportFault.valueTooLong(size)) {
                _ = try events(Self.binary("A", [], size: size))
            }
        }
    }

    @Test("what exceeds the limits is read over, and the entry is flagged", arguments: [1, 3, .max])
    func limits(_ pieces: Int) throws {
        var limits = JournalExportParser.Limits()
        limits.entry = 100
        limits.fields = 3
        let long = String(repeating: "x", count: 500)
        let text = Array("A=\(long)\nB=2\n\nC=3\n\n".utf8)
        let cut = try events(text, pieces: pieces, limits: limits)
        #expect(cut.count == 2 && cut.last == entry(("C", "3")))
        guard case .entry(let first) = cut[0] else {
            Issue.record("\(cut)")
            return
        }
        #expect(first.isTruncated && first.fields.reduce(0) { $0 + $1.name.count + $1.value.count } <= 100)
        #expect(first.value(of: "A")?.allSatisfy { $0 == UInt8(ascii: "x") } == true)
        let binary = Self.binary("A", Array(long.utf8)) + Array("\nC=3\n\n".utf8)
        let cutBinary = try events(binary, pieces: pieces, limits: limits)
        #expect(cutBinary.last == entry(("C", "3")))
        #expect(cutBinary.first == entry(("A", String(repeating: "x", count: 99)), isTruncated: true))
        let many = Array("A=1\nB=2\nC=3\nD=4\n\n".utf8)
        #expect(
            try events(many, pieces: pieces, limits: limits)
                == [entry(("A", "1"), ("B", "2"), ("C", "3"), isTruncated: true)]
        )
    }

    @Test("of a stream that ends in an entry, the whole fields are kept")
    func end() throws {
        var parser = JournalExportParser()
        Array("A=1\nB=2".utf8).withUnsafeBytes { parser.append($0) }
        #expect(try parser.next() == nil)
        #expect(
            parser.finish()
                == JournalEntry([JournalEntry.Field([UInt8(ascii: "A")], [UInt8(ascii: "1")])], isTruncated: true)
        )
        #expect(parser.finish() == nil)
    }

    @Test("the time is the writer's, else journald's; values of one name stay together")
    func records() {
        func entry(_ fields: (String, String)...) -> JournalEntry {
            JournalEntry(fields.map { JournalEntry.Field(Array($0.0.utf8), Array($0.1.utf8)) })
        }
        let both = entry(("__REALTIME_TIMESTAMP", "2000000"), ("_SOURCE_REALTIME_TIMESTAMP", "1000000"))
        #expect(both.time == 1_000_000_000)
        #expect(entry(("__REALTIME_TIMESTAMP", "2000000")).time == 2_000_000_000)
        #expect(entry(("__REALTIME_TIMESTAMP", "18446744073709551615")).time == nil)
        #expect(entry(("MESSAGE", "x")).time == nil)
        let record = entry(("A", "1"), ("B", "2"), ("A", "3")).record
        #expect(record.fields.map(\.values.count) == [2, 1])
    }

    @Test("a cursor has the id of its sequence and a number; also a boot's id and a time where they are valid")
    func cursors() {
        let text = "s=0123456789abcdef0123456789abcdef;i=1f;b=x;m=2;t=3;x=4"
        #expect(JournalCursor(Array(text.utf8))?.number == 31)
        #expect(JournalCursor(Array(text.utf8))?.sequenceID.prefix(2) == [0x01, 0x23])
        #expect(JournalCursor(Array(text.utf8))?.time == 3 && JournalCursor(Array(text.utf8))?.bootID == nil)
        let whole = text.replacing("b=x", with: "b=\(String(repeating: "ab", count: 16))")
        #expect(JournalCursor(Array(whole.utf8))?.bootID == Array(repeating: 0xab, count: 16))
        #expect(JournalCursor(Array(text.utf8.prefix(39)))?.time == nil)
        for wrong in [
            "", "s=0;i=1", "i=1;s=0123456789abcdef0123456789abcdef", "s=0123456789abcdef0123456789abcdeg;i=1",
            "s=0123456789abcdef0123456789abcdef;i=", "s=0123456789abcdef0123456789abcdef;i=+1",
        ] {
            #expect(JournalCursor(Array(wrong.utf8)) == nil, "\(wrong)")
        }
    }
}
