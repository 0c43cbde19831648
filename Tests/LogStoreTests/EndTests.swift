// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

/// A VM that is marked as deleted.
@Suite(.blocking) struct EndTests {
    @Test("where the end cannot be recorded the check says so, and the VM has not ended", arguments: [ENOSPC, EROFS])
    func failure(code: Int32) throws {
        let folder = TemporaryFolder()
        let files = FaultyFileSystem()
        let fixture = try StoreFixture(root: folder.path, fileSystem: files)
        try fixture.append("one\n")
        files.set(.failing(code))
        #expect(throws: SystemError.self) { try fixture.vm.checkEnd() }
        #expect(throws: SystemError.self) { try fixture.vm.end(at: fixture.clock.time) }
        #expect(fixture.vm.vm.ended == nil)
        files.set(.healthy)
        try fixture.vm.checkEnd()
        #expect(fixture.store.vm(in: "web")?.ended == nil)
        try fixture.vm.end(at: fixture.clock.time)
        #expect(fixture.vm.vm.ended != nil && fixture.store.vm(in: "web")?.ended == fixture.clock.time)
    }
}
