// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import TestTraits
import Testing

@testable import SystemIO

/// Files that root creates in folders of other users.
@Suite(.blocking, .enabled(if: geteuid() == 0, "needs root, who alone can act for another"))
struct FileOwnerTests {
    private static let user: UInt32 = 65534
    private let folder = TemporaryFolder()

    private var own: String { folder.path + "/own" }

    init() {
        chmod(folder.path, 0o755)
        mkdir(own, 0o750)
        chown(own, Self.user, Self.user)
    }

    private func owner(_ name: String) -> UInt32? { FileAttributes(at: own + "/" + name)?.owner }

    @Test("files, folders and sockets that root creates belong to the folder's owner")
    func created() throws {
        let fileSystem = LinuxFileSystem()
        _ = try StoredFile(own + "/file", .create, on: fileSystem)
        try fileSystem.makeDirectories(own + "/a/b")
        try fileSystem.replace("small", in: own + "/a/b", with: [1])
        let socket = try UnixSocket.listen(at: own + "/sock")
        for name in ["file", "a", "a/b", "a/b/small", "sock"] {
            #expect(owner(name) == Self.user, "\(name)")
        }
        #expect(FileAttributes(at: own + "/sock")?.permissions == 0o660)
        _ = socket.raw
        // The thread is root again.
        _ = try StoredFile(folder.path + "/file", .create, on: fileSystem)
        #expect(FileAttributes(at: folder.path + "/file")?.owner == 0)
    }

    @Test("what the folder's owner may not open or reach, root still creates")
    func unreachable() throws {
        let fileSystem = LinuxFileSystem()
        _ = try StoredFile(own + "/left", .create, on: fileSystem)
        chown(own + "/left", 0, 0)
        chmod(own + "/left", 0o600)
        _ = try StoredFile(own + "/left", .create, on: fileSystem)
        chmod(folder.path, 0o700)
        _ = try StoredFile(own + "/new", .create, on: fileSystem)
        #expect(owner("new") == 0)
    }

    @Test("a thread that acts as another user creates its files as that user, in whatever folder")
    func otherUser() throws {
        let other = folder.path + "/other"
        mkdir(other, 0o777)
        chmod(other, 0o777)
        chown(other, 65533, 65533)
        let owner = try #require(FileOwner(of: own))
        owner.perform {
            _ = try? StoredFile(other + "/file", .create, on: LinuxFileSystem())
        }
        #expect(FileAttributes(at: other + "/file")?.owner == Self.user)
    }

    @Test("a file that another user has left is named, with the remedy")
    func foreignFile() throws {
        mkdir(own + "/vm", 0o700)
        for (path, remedy) in [
            ("/vm/lock", "'chown -R --reference=\(own) \(own)/vm'"), ("/left", "'chown -R --reference=\(own) \(own)'"),
        ] {
            let file = try StoredFile(own + path, .create, on: LinuxFileSystem())
            chown(file.path, 0, 0)
            chmod(file.path, 0o600)
            let owner = try #require(FileOwner(of: own))
            let error = owner.perform { () -> SystemError? in
                do throws(SystemError) {
                    _ = try StoredFile(own + path, .create, on: LinuxFileSystem())
                    return nil
                } catch {
                    return error
                }
            }
            #expect(error?.code == EACCES && error?.reason.contains(remedy) == true, "\(path): \(error?.reason ?? "")")
        }
    }
}
