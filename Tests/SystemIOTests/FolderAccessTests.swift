// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import TestTraits
import Testing

@testable import SystemIO

@Suite(.blocking) struct FolderAccessTests {
    private let folder = TemporaryFolder()

    private func code(_ path: String) -> Int32? {
        do throws(SystemError) {
            try FolderAccess.check(path)
            return nil
        } catch {
            return error.code
        }
    }

    @Test("a folder that exists or can be created passes, and nothing is created")
    func passes() throws {
        for path in ["", "/a", "/a/b/c"] {
            #expect(code(folder.path + path) == nil)
        }
        #expect(try LinuxFileSystem().names(in: folder.path) == [])
    }

    @Test("a file in place of a folder is an error")
    func file() throws {
        _ = try StoredFile(folder.path + "/file", .create, on: LinuxFileSystem())
        #expect(code(folder.path + "/file") == ENOTDIR)
        #expect(code(folder.path + "/file/a") == ENOTDIR)
    }

    @Test(
        "a folder that the thread's user must not write to is an error",
        .enabled(if: geteuid() == 0, "needs root, who alone can act for another")
    )
    func permissions() throws {
        for name in ["own", "other"] {
            mkdir(folder.path + "/" + name, 0o755)
        }
        chmod(folder.path, 0o755)
        chown(folder.path + "/own", 65534, 65534)
        let owner = try #require(FileOwner(of: folder.path + "/own"))
        owner.perform {
            #expect(code(folder.path + "/own/a") == nil)
            #expect(code(folder.path + "/other/a") == EACCES)
        }
        chmod(folder.path, 0o700)
        owner.perform { #expect(code(folder.path + "/own") == EACCES) }
    }
}
