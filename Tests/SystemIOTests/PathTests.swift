// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import TestSupport
import TestTraits
import Testing

@testable import SystemIO

/// Paths of which other users may change a part.
@Suite(.blocking) struct PathTests {
    private let folder = TemporaryFolder()

    private func make(_ directories: String...) {
        directories.forEach { mkdir(folder.path + "/" + $0, 0o755) }
    }

    private func put(_ text: String, at name: String) throws {
        let file = try DirectoryHandle(folder.path).open(name, O_WRONLY | O_CREAT, mode: 0o600)
        #expect(write(file.raw, text, text.utf8.count) == text.utf8.count)
    }

    private func text(_ file: borrowing Descriptor) -> String {
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = read(file.raw, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }

    @Test("paths of one file are the same, also of none if they are equal")
    func sameFile() throws {
        make("real", "other")
        symlink("real", folder.path + "/alias")
        func isSame(_ one: String, _ two: String) -> Bool {
            FileAttributes.isSameFile(folder.path + one, folder.path + two)
        }
        #expect(isSame("/real", "/alias") && isSame("/alias", "/real/.") && isSame("/none", "/none"))
        #expect(!isSame("/real", "/other") && !isSame("/real", "/none") && !isSame("/none", "/nothing"))
    }

    @Test("links are followed in the trusted part of a path, and refused below it, whatever their target")
    func links() throws {
        make("real", "real/a", "real/a/b")
        symlink("real", folder.path + "/alias")
        symlink("a", folder.path + "/real/link")
        symlink("/", folder.path + "/real/a/root")
        let alias = folder.path + "/alias"
        _ = try DirectoryHandle(alias + "/a/b", trusted: alias)
        _ = try DirectoryHandle(alias + "//a/./b/", trusted: alias + "/")
        _ = try DirectoryHandle(folder.path + "/real/link/b", trusted: folder.path + "/real/link")
        for (path, trusted) in [
            (alias + "/link", alias), (alias + "/link/b", alias), (alias + "/a/root/etc", alias),
            (alias + "/a", folder.path),
        ] {
            let error = #expect(throws: SystemError.self) { _ = try DirectoryHandle(path, trusted: trusted) }
            #expect(error?.code == ELOOP, "\(path)")
        }
        for (path, trusted) in [(alias + "/../x", alias), (alias + "/a/../../x", alias), ("/etc", alias)] {
            let error = #expect(throws: SystemError.self) { _ = try DirectoryHandle(path, trusted: trusted) }
            #expect(error?.code == EINVAL, "\(path)")
        }
    }

    @Test("an opened directory stays the same when its path leads elsewhere")
    func held() throws {
        make("a", "b")
        let directory = try DirectoryHandle(folder.path + "/a")
        try put("mine", at: "a/file")
        rename(folder.path + "/a", folder.path + "/c")
        symlink("b", folder.path + "/a")
        #expect(text(try directory.openRegular("file", O_RDONLY)) == "mine")
        try directory.rename("file", to: "new")
        #expect(FileAttributes(at: folder.path + "/c/new")?.kind == .regular)
        try directory.remove("new")
        #expect(directory.attributes(of: "new") == nil)
    }

    @Test("the file that was checked is the one that is opened, although another has its path by then")
    func handle() throws {
        try put("first", at: "file")
        let file = try PathHandle(folder.path + "/file", trusted: folder.path)
        #expect(file.attributes.kind == .regular)
        unlink(folder.path + "/file")
        symlink("/etc/passwd", folder.path + "/file")
        #expect(text(try file.open(O_RDONLY)) == "first")
        #expect(try PathHandle(folder.path + "/file", trusted: folder.path).attributes.kind == .link)
        #expect(try PathHandle(folder.path + "/file").attributes.kind == .regular)
    }

    @Test("only regular files are opened as such, without waiting for a FIFO's other end")
    func regular() throws {
        make("folder")
        mkfifo(folder.path + "/fifo", 0o600)
        symlink("/dev/null", folder.path + "/link")
        let directory = try DirectoryHandle(folder.path)
        for (name, code) in [("fifo", EINVAL), ("folder", EINVAL), ("link", ELOOP), ("none", ENOENT)] {
            let error = #expect(throws: SystemError.self) { _ = try directory.openRegular(name, O_RDONLY) }
            #expect(error?.code == code, "\(name)")
        }
    }

    @Test("pseudo-terminals are distinguished from other devices, such as /dev/ptmx and /dev/pts/ptmx")
    func terminals() throws {
        var name = [CChar](repeating: 0, count: 128)
        let master = Descriptor(owning: gl_open_terminal(&name, name.count))
        #expect(master.raw >= 0)
        let path = name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        #expect(try PathHandle(path).isPseudoTerminal)
        for path in ["/dev/null", "/dev/ptmx", "/dev/pts/ptmx", "/dev/tty"] {
            let isOne = (try? PathHandle(path).isPseudoTerminal) ?? false
            #expect(!isOne, "\(path)")
        }
    }

    @Test("a directory that cannot be read to its end is an error, and not an empty directory")
    func unreadableDirectory() throws {
        make("a")
        let stream = try #require(opendir(folder.path + "/a"))
        defer { closedir(stream) }
        let other = open("/dev/null", O_RDONLY)
        defer { close(other) }
        dup2(other, dirfd(stream))
        var names = 0
        let error = #expect(throws: SystemError.self) {
            try DirectoryEntries.forEachName(in: stream, "/a") { _ in names += 1 }
        }
        #expect(error?.code == ENOTDIR && error?.subject == "/a" && names == 0)
    }
}
