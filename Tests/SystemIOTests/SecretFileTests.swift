// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import TestTraits
import Testing

@testable import SystemIO

@Suite(.blocking) struct SecretFileTests {
    private let folder = TemporaryFolder()

    private func file(_ text: String, _ name: String = "secret") throws -> String {
        let path = folder.path + "/" + name
        let file = try StoredFile(path, .create, on: LinuxFileSystem())
        try file.truncate(to: 0)
        try file.write(at: 0, Array(text.utf8))
        return path
    }

    private func text(_ path: String) throws(SystemError) -> String {
        String(decoding: try SecretFile.contents(of: path), as: UTF8.self)
    }

    @Test(
        "one end of line is dropped, and nothing else",
        arguments: [
            ("key", "key"), ("key\n", "key"), ("key\r\n", "key"), ("key\n\n", "key\n"), (" k e y \n", " k e y "),
            ("a\nb\n", "a\nb"), ("key\r", "key\r"), ("schlüssel\n", "schlüssel"),
        ]
    )
    func contents(text contents: String, secret: String) throws {
        #expect(try text(try file(contents)) == secret)
    }

    @Test("a token has no spaces, and no bytes that a field of HTTP cannot have")
    func token() throws {
        #expect(try SecretFile.token(in: try file(" abc\u{e9}\r\ndef\u{7f}\n\n")) == "abcdef")
        let blank = try file("  \n")
        let error = #expect(throws: SystemError.self) { try SecretFile.token(in: blank) }
        #expect(error?.description == "read the token in \(blank): it is blank; write the token to it")
    }

    @Test("symbolic links are followed, as in a mounted secret of Kubernetes")
    func links() throws {
        mkdir(folder.path + "/..2026", 0o700)
        _ = try file("key\n", "..2026/key")
        symlink("..2026", folder.path + "/..data")
        symlink("..data/key", folder.path + "/key")
        #expect(try text(folder.path + "/key") == "key")
    }

    @Test("what is no secret is refused; the error names the file and what to do")
    func refused() throws {
        mkfifo(folder.path + "/fifo", 0o600)
        let large = try file(String(repeating: "x", count: SecretFile.limit + 1), "large")
        for (path, code, remedy) in [
            (folder.path + "/none", ENOENT, "create the file with the secret"),
            (folder.path, EINVAL, "it is a directory; use a regular file with the secret"),
            (folder.path + "/fifo", EINVAL, "it is a FIFO; use a regular file"),
            (large, EFBIG, "it has more than 65536 bytes; use a file that contains only the secret"),
            (try file("\r\n", "empty"), EINVAL, "it is empty; write the secret to it"),
        ] {
            let error = #expect(throws: SystemError.self) { try text(path) }
            #expect(error?.code == code && error?.description.contains(remedy) == true, "\(String(describing: error))")
            #expect(error?.subject == path)
        }
        let whole = try file(String(repeating: "x", count: SecretFile.limit), "whole")
        #expect(try text(whole).utf8.count == SecretFile.limit)
    }
}
