// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestSupport
import TestTraits
import Testing

@Suite(.blocking) struct EntryFolderTests {
    @Test(
        "the next process finds added entries and no removed ones, and unreadable ones are skipped"
    )
    func entries() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/held"
        let held = EntryFolder(path)
        #expect(held.entries().isEmpty)
        try held.put("b", .string("two"))
        try held.put("a", .integer(1))
        try held.put("a", .integer(3))
        try LinuxFileSystem().replace("torn.json", in: path, with: Array("{".utf8))
        try LinuxFileSystem().replace("other", in: path, with: Array("1".utf8))
        let next = EntryFolder(path)
        #expect(next.entries().map(\.name) == ["a", "b"])
        #expect(next.entries().map(\.entry) == [.integer(3), .string("two")])
        next.remove("b")
        next.remove("nobody")
        #expect(held.entries().map(\.name) == ["a"])
        held.removeAll()
        #expect(held.entries().isEmpty)
    }
}
