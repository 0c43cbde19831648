// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO
import TestTraits
import Testing

/// A restricted store reveals nothing of other VMs, by any call.
@Suite(.blocking) struct ScopedStoreTests {
    @Test("a hidden VM has no streams, no text, no size and no properties of its own")
    func hidden() throws {
        let sample = try SampleStore()
        try sample.add("web")
        try sample.add("db")
        try sample.append("mine\n")
        try sample.append("theirs\n", vm: 1)
        let (own, other) = (sample.id(), sample.id(vm: 1))
        let scoped = sample.store.showing(VMPattern(["web"]))
        #expect(try scoped.vms().map(\.identity.name) == ["web"])
        #expect(scoped.vm(in: other.vm) == nil)
        #expect(try scoped.streams(of: own.vm) == [own] && scoped.streams(of: other.vm).isEmpty)
        #expect(try scoped.reader(of: own).batch(at: .start) != nil)
        // As for a VM that never existed.
        #expect(try scoped.reader(of: other).batch(at: .start) == nil)
        #expect(throws: SystemError.self) { try scoped.reader(of: other).summaries() }
        #expect(try scoped.usage(of: own.vm) > 0 && scoped.usage(of: own) > 0)
        #expect(try scoped.usage(of: other.vm) == 0)
        #expect((try? scoped.usage(of: other)) ?? 0 == 0)
        #expect(scoped.folder(of: other) != sample.store.folder(of: other))
        // An unrestricted store shows everything.
        #expect(try sample.store.reader(of: other).batch(at: .start) != nil)
    }

    @Test("a VM whose facts are missing is shown and hidden like others")
    func withoutFacts() throws {
        let sample = try SampleStore()
        try sample.add("web")
        try sample.append("mine\n")
        let own = sample.id()
        unlink(sample.store.folder(of: own) + "/../vm.json")
        #expect(try sample.store.showing(VMPattern(["web"])).streams(of: own.vm) == [own])
        #expect(try sample.store.showing(VMPattern(["db"])).streams(of: own.vm).isEmpty)
    }
}
