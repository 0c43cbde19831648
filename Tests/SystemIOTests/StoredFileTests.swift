// SPDX-License-Identifier: Apache-2.0

import CLinux
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

    @Test("a file's locks end when it is closed, although a child that is being started has a copy of the descriptor")
    func copied() throws {
        let path = folder.path + "/lock"
        var first: StoredFile? = try StoredFile(path, .create, on: LinuxFileSystem())
        #expect(first?.tryLock() == true && first?.tryLock(number: 7) == true)
        let identity = try #require(FileAttributes(at: path)?.identity)
        let own = try LinuxFileSystem().names(in: "/proc/self/fd").compactMap { Int32($0) }
            .first { (try? FileAttributes(of: $0).identity) == identity }
        let copy = Descriptor(owning: gl_fcntl(try #require(own), F_DUPFD_CLOEXEC, 0))
        let second = try StoredFile(path, .update, on: LinuxFileSystem())
        #expect(!second.tryLock() && !second.tryLock(number: 7))
        first = nil
        #expect(second.tryLock() && second.tryLock(number: 7))
        _ = copy.raw
    }

    @Test("an error that is told of another subject keeps its reason")
    func reason() {
        let error = SystemError("write", code: EIO, reason: "the disk fails; replace it")
        #expect("\(error.of("/x"))" == "write /x: the disk fails; replace it")
        #expect(error.of("/x", operation: "store").code == EIO)
        #expect("\(error.of("/x", operation: "store"))" == "store /x: the disk fails; replace it")
    }
}
