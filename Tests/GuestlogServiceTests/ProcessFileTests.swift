// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import GuestlogService

@Suite(.blocking) struct ProcessFileTests {
    private let folder = TemporaryFolder()
    private var path: String { folder.path + "/daemon.pid" }

    @Test("a second daemon is refused")
    func refused() throws {
        let first = try ProcessFile(path)
        #expect(throws: SystemError.self) { _ = try ProcessFile(path, within: 0) }
        withExtendedLifetime(first) {}
    }

    /// A daemon's file, on a thread of its own.
    private final class Successor: @unchecked Sendable {
        // Sendable because it is read after the thread's end.
        var file: ProcessFile?
    }

    @Test("a daemon that waits for another's end has its own id at the path, which the other one removes")
    func successor() throws {
        var first: ProcessFile? = try ProcessFile(path)
        let before = try #require(FileAttributes(at: path)?.identity)
        let successor = Successor()
        let thread = try WorkerThread(name: "successor") { [path] in
            successor.file = try? ProcessFile(path, within: 600_000)
        }
        let descriptors = { (try? LinuxFileSystem().names(in: "/proc/self/fd")) ?? [] }
        // The first one's, and the one whose lock is waited for.
        let isWaiting = eventually {
            descriptors().count { Int32($0).flatMap { try? FileAttributes(of: $0).identity } == before } == 2
        }
        #expect(isWaiting)
        first?.remove()
        first = nil
        thread.join()
        let file = try #require(successor.file)
        let bytes = try StoredFile(path, .read, on: LinuxFileSystem()).read(at: 0, count: 32)
        #expect(bytes == Array("\(getpid())\n".utf8))
        withExtendedLifetime(file) {}
    }
}
