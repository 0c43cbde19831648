// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Capture

/// A stream whose files are removed or moved while it is written.
@Suite(.blocking) struct RemovedFilesTests {
    private let fixture: GuestFixture
    private let guest: TalkingGuest
    private let store: String
    private let folder: String

    init() throws {
        fixture = try GuestFixture()
        store = fixture.folder.path + "/store"
        folder = store + "/vm/console0"
        guest = fixture.talk(pace: 50_000)
        try #require(eventually { try fixture.stored().bytes.count > 1000 })
    }

    private func remove(_ path: String) throws {
        let files = LinuxFileSystem()
        for name in try files.names(in: path) {
            let entry = path + "/" + name
            if files.status(entry)?.isDirectory == true {
                try? remove(entry)
            } else {
                try? files.remove(entry)
            }
        }
        try? files.removeDirectory(path)
    }

    /// Waits until the stream exists again and its loss is recorded.
    private func expectMadeAnew() throws {
        let isBack = eventually {
            let stored = try? fixture.stored()
            return stored.map { $0.gaps.contains { $0.reason == .corruption } && $0.bytes.count > 1000 } ?? false
        }
        #expect(isBack, "not recreated: \(fixture.capture.problems.all)")
        guest.stop()
        guest.join("while its files are removed")
        try fixture.expectAccounted(for: guest)
        #expect(eventually { fixture.capture.problems.all.isEmpty })
        let vm = try #require(Store(root: store).vm(in: "vm"))
        #expect(vm.metadataProblem == nil)
        fixture.stop()
    }

    @Test("a removed store is recreated, and a gap counts its contents")
    func storeRemoved() throws {
        try remove(store)
        try expectMadeAnew()
    }

    @Test("a VM's removed folder is recreated, and a gap counts its contents")
    func vmRemoved() throws {
        try remove(store + "/vm")
        try expectMadeAnew()
    }

    @Test("a stream's removed folder is recreated, and a gap counts its contents")
    func streamRemoved() throws {
        try remove(folder)
        try expectMadeAnew()
    }

    @Test("a removed active pair is not attributed to retention: a gap counts it")
    func pairRemoved() throws {
        for name in try LinuxFileSystem().names(in: folder) where !name.hasSuffix(".json") {
            unlink(folder + "/" + name)
        }
        try expectMadeAnew()
        #expect(try fixture.stored().missing.allSatisfy { $0.reason != .retention })
    }

    @Test("a store that is moved away and back continues, and a gap counts what was written elsewhere meanwhile")
    func movedAndBack() throws {
        #expect(rename(store, store + ".moved") == 0)
        #expect(eventually { access(folder, F_OK) == 0 })
        #expect(eventually { ((try? fixture.stored().bytes.count) ?? 0) > 1000 })
        #expect(rename(store, store + ".new") == 0 && rename(store + ".moved", store) == 0)
        try expectMadeAnew()
        try remove(store + ".new")
    }
}
