// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import TestTraits
import Testing

@testable import SystemIO

@Suite(.blocking) struct StoredFileTests {
    private let folder = TemporaryFolder()

    @Test("a locked file has one holder; after its removal the path has a new file and a new holder")
    func locked() throws {
        let path = folder.path + "/name"
        let first = try #require(try StoredFile.locked(at: path))
        #expect(try StoredFile.locked(at: path) === nil)
        unlink(path)
        let second = try #require(try StoredFile.locked(at: path))
        #expect(try StoredFile.locked(at: path) === nil)
        withExtendedLifetime((first, second)) {}
    }

    @Test("an error that is told of another subject keeps its reason")
    func reason() {
        let error = SystemError("write", code: EIO, reason: "the disk fails; replace it")
        #expect("\(error.of("/x"))" == "write /x: the disk fails; replace it")
        #expect(error.of("/x", operation: "store").code == EIO)
        #expect("\(error.of("/x", operation: "store"))" == "store /x: the disk fails; replace it")
    }
}
