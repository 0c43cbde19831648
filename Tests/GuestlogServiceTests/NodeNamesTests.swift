// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import GuestlogService

@Suite(.blocking) struct NodeNamesTests {
    @Test("the names of pods' VMs are found again; without the file, or with one that is damaged, there are none")
    func again() throws {
        let folder = TemporaryFolder()
        let names = NodeNames(Store(root: folder.path))
        #expect(names.load().isEmpty)
        let named = ["1": VMIdentity(name: "web", namespace: "simone"), "2": VMIdentity(name: "é\"", namespace: "b")]
        try names.save(named)
        #expect(names.load() == named)
        try names.save([:])
        #expect(names.load().isEmpty)
        try LinuxFileSystem().replace("kubevirt-pods.json", in: folder.path + "/sources", with: Array("{\"1\":".utf8))
        #expect(names.load().isEmpty)
    }
}
