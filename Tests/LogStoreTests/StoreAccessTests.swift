// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

@Suite(.blocking) struct StoreAccessTests {
    @Test("a folder that is no store is told from an empty one")
    func otherFolder() throws {
        let folder = TemporaryFolder()
        let store = Store(root: folder.path)
        #expect(try StoreAccess(to: store) == .readable)
        try LinuxFileSystem().replace("passwd", in: folder.path, with: [])
        #expect(try StoreAccess(to: store) == .notAStore)
        _ = try StoreIdentity(of: store)
        #expect(try StoreAccess(to: store) == .readable)
    }

    @Test("folders of VMs that this user cannot read are named")
    func unreadable() throws {
        let folder = TemporaryFolder()
        let store = Store(root: folder.path)
        _ = try StoreIdentity(of: store)
        for name in ["db", "web"] {
            try LinuxFileSystem().makeDirectory(folder.path + "/" + name)
        }
        #expect(try StoreAccess(to: store) { _ in true } == .readable)
        guard case .unreadable(let folders) = try StoreAccess(to: store, isReadable: { _ in false }) else {
            Issue.record("nothing is unreadable")
            return
        }
        #expect(folders == ["db", "web"])
        #expect(try StoreAccess(to: store) { !$0.hasSuffix("/web") } == .unreadable(["web"]))
    }
}
