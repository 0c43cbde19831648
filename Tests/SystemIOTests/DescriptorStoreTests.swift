// SPDX-License-Identifier: Apache-2.0

import TestSupport
import TestTraits
import Testing

@testable import SystemIO

@Suite(.blocking) struct DescriptorStoreTests {
    private let folder = TemporaryFolder()
    private var path: String { folder.path + "/held" }

    private func makeStore() -> DescriptorStore {
        DescriptorStore(in: path, prefix: "c", formerPrefix: "console-", service: ServiceManager(address: nil))
    }

    @Test("the next process finds the entries that were put or noted, and none that were removed")
    func entries() throws {
        let store = makeStore()
        #expect(store.entries().isEmpty)
        store.note("b", Array("two".utf8))
        store.put("web", 0, Array("one".utf8))
        store.put("web", 0, Array("three".utf8))
        store.put("db", 0, Array("four".utf8))
        try LinuxFileSystem().replace("other", in: path, with: Array("1".utf8))
        let next = makeStore()
        #expect(next.entries().map(\.name) == ["b", "c1", "c2"])
        #expect(next.entries().map(\.entry) == ["two", "three", "four"].map { Array($0.utf8) })
        next.remove(named: "b")
        next.remove("nobody")
        store.remove("db")
        #expect(store.entries().map(\.name) == ["c1"])
        try LinuxFileSystem().remove(path + "/other")
        DescriptorStore.removeEntries(in: path)
        #expect(store.entries().isEmpty)
        #expect(LinuxFileSystem().status(path) == nil)
    }

    @Test("a name that an earlier version has given is known, and replaced when the descriptor is put again")
    func formerNames() {
        let former = "console-web%2Econsole0"
        makeStore().note(former, Array("one".utf8))
        let store = makeStore()
        #expect(store.ownsName(former) && store.ownsName("c1") && store.ownsName("czzzzz"))
        #expect(["dropped", "c", "c01", "c+1", "cA", "c100000", "l1"].allSatisfy { !store.ownsName($0) })
        store.adopt(former, for: "web")
        #expect(store.name(of: "web") == former)
        store.put("web", 0, Array("two".utf8))
        #expect(store.entries().map(\.name) == ["c1"])
        #expect(store.name(of: "web") == "c1")
    }

    @Test("a number is given again only after all others were, and never while it is in use")
    func numbers() {
        var names = DescriptorNames(prefix: "c")
        #expect(names.name(for: "a") == "c1" && names.name(for: "b") == "c2" && names.name(for: "a") == "c1")
        names.remove("b")
        #expect(names.name(for: "b") == "c3")
        names.adopt("czzzzy", for: "c")
        #expect(["d", "e", "f", "g", "h"].map { names.name(for: $0) } == ["czzzzz", "c0", "c2", "c4", "c5"])
        // Canonically equivalent spellings of one name are two VMs.
        #expect(names.name(for: "caf\u{e9}") != names.name(for: "cafe\u{301}"))
    }

    @Test("as many names as systemd's units store fit into the variable in which systemd passes them")
    func length() {
        var names = DescriptorNames(prefix: "c")
        names.adopt("czzzz", for: "the last short one")
        let all = (0..<16_384).map { names.name(for: String($0)) }.joined(separator: ":")
        #expect("LISTEN_FDNAMES=".utf8.count + all.utf8.count < PassedDescriptors.variableLimit)
    }
}
