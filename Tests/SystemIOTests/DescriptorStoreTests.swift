// SPDX-License-Identifier: Apache-2.0

import SystemIO
import TestSupport
import TestTraits
import Testing

@Suite(.blocking) struct DescriptorStoreTests {
    @Test("the next process finds the entries that were put or noted, and none that were removed")
    func entries() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/held"
        let service = ServiceManager(address: nil)
        let store = DescriptorStore(in: path, service: service)
        #expect(store.entries().isEmpty)
        store.note("b", Array("two".utf8))
        store.put("a", 0, Array("one".utf8))
        store.put("a", 0, Array("three".utf8))
        try LinuxFileSystem().replace("other", in: path, with: Array("1".utf8))
        let next = DescriptorStore(in: path, service: service)
        #expect(next.entries().map(\.name) == ["a", "b"])
        #expect(next.entries().map(\.entry) == [Array("three".utf8), Array("two".utf8)])
        next.remove("b")
        next.remove("nobody")
        #expect(store.entries().map(\.name) == ["a"])
        try LinuxFileSystem().remove(path + "/other")
        store.removeAll()
        #expect(store.entries().isEmpty)
        #expect(LinuxFileSystem().status(path) == nil)
    }
}
