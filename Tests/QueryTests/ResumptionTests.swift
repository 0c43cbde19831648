// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestTraits
import Testing

@testable import Query

/// Cursors of text that the store does not have any more.
@Suite(.blocking) struct ResumptionTests {
    private let sample: SampleStore

    init() throws {
        sample = try SampleStore()
        try sample.add("a")
        try sample.append("hello\nworld\n")
    }

    private func read(_ cursor: String, areAll: Bool = false) throws -> String {
        var selection = Selection()
        selection.cursor = cursor
        let query = try LogQuery(
            store: sample.store,
            vms: sample.vms.map(\.vm),
            areAll: areAll,
            selection: selection,
            rendering: Rendering(),
            now: sample.now
        )
        var text: [UInt8] = []
        while let chunk = try query.next() { text += chunk }
        return String(decoding: text, as: UTF8.self)
    }

    @Test("a cursor beyond the end of a stream is refused: the store was restored since", arguments: [false, true])
    func beyondEnd(areAll: Bool) throws {
        // As after a crash of the host: the text that the cursor has passed may be lost.
        #expect(try read("v1:a/console0=13.0", areAll: areAll) == "")
        try sample.vms[0].closeCleanly()
        let error = #expect(throws: QueryError.self) { _ = try read("v1:a/console0=13.0", areAll: areAll) }
        #expect(error?.code == .badCursor && error?.message.contains("console0 of a: the store was restored") == true)
        #expect(try read("v1:a/console0=12.0") == "")
        #expect(try read("v1:a/console0=6.0") == "world\n")
    }

    @Test("a cursor of all VMs is valid when all of them were removed")
    func removedVMs() throws {
        #expect(throws: QueryError.self) { _ = try read("v1:b/console0=1.0") }
        #expect(try read("v1:b/console0=1.0", areAll: true) == "hello\nworld\n")
    }

    @Test("the cursor of an empty result is behind the text before the range")
    func emptyRange() throws {
        var selection = Selection()
        selection.since = sample.now.advanced(byMicroseconds: 1_000_000)
        let query = try LogQuery(
            store: sample.store,
            vms: sample.vms.map(\.vm),
            selection: selection,
            rendering: Rendering(),
            now: sample.now
        )
        #expect(try query.next() == nil)
        try sample.append("new\n", after: 2_000_000)
        #expect(try read(query.cursor) == "new\n")
    }

    @Test("a reader that takes the streams in turns, as an output, goes on with the text of a restored store")
    func restoredForOutput() throws {
        try sample.vms[0].closeCleanly()
        var selection = Selection()
        selection.cursor = "v1:a/console0=13.0"
        let entries = try EntrySource(
            store: sample.store,
            vms: sample.vms.map(\.vm),
            areAll: true,
            selection: selection,
            now: sample.now,
            order: .turns
        )
        guard case .line(let line)? = try entries.next()?.entry else {
            Issue.record("there is no line")
            return
        }
        #expect(line.start.offset == 0)
    }
}
