// SPDX-License-Identifier: Apache-2.0

import Glibc
import RotatingFile
import SystemIO
import TestSupport
import TestTraits
import Testing

@Suite(.blocking) struct RotatingFileWriterTests {
    private func contents(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(file, &buffer, buffer.count)
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: buffer[..<count])
        }
    }

    /// All files of `path`, oldest first.
    private func chain(_ path: String, backups: Int) -> [[UInt8]] {
        ((0..<backups).reversed().map { "\(path).\($0)" } + [path]).compactMap(contents)
    }

    @Test(
        "files end at a line's end, none exceeds its limit, and together they are the end of what was written",
        arguments: [1, 13, 80, 4096, 65_536],
        [8192, 28_123]
    )
    func rotates(piece: Int, limit: Int) throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/console.log"
        let writer = RotatingFileWriter(path: path, limits: RotationLimits(size: limit, backups: 3))
        let text = NumberedLines.text(piece == 1 ? 1500 : 4000)
        var start = 0
        while start < text.count {
            let end = min(text.count, start + piece)
            try text[start..<end].withUnsafeBytes { try writer.append($0) }
            start = end
        }
        let files = chain(path, backups: 3)
        #expect(files.count == 4)
        #expect(files.allSatisfy { $0.count <= limit })
        #expect(files.dropLast().allSatisfy { $0.last == UInt8(ascii: "\n") })
        #expect(Array(files.joined()) == Array(text.suffix(files.reduce(0) { $0 + $1.count })))
        #expect(contents(path + ".3") == nil)
    }

    @Test("a line longer than a file is cut where the file is full")
    func longLine() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/console.log"
        let writer = RotatingFileWriter(path: path, limits: RotationLimits(size: 10_000, backups: 2))
        let text = [UInt8](repeating: UInt8(ascii: "x"), count: 25_000)
        try text.withUnsafeBytes { try writer.append($0) }
        #expect(chain(path, backups: 2).map(\.count) == [10_000, 10_000, 5000])
    }

    @Test("an existing file is continued, and one that is too large becomes a backup")
    func continues() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/console.log"
        for _ in 0..<2 {
            let writer = RotatingFileWriter(path: path, limits: RotationLimits(size: 100_000, backups: 1))
            try Array("line\n".utf8).withUnsafeBytes { try writer.append($0) }
        }
        #expect(contents(path) == Array("line\nline\n".utf8))
        let writer = RotatingFileWriter(path: path, limits: RotationLimits(size: 5, backups: 1))
        try Array("next\n".utf8).withUnsafeBytes { try writer.append($0) }
        #expect(contents(path + ".0") != nil)
    }

    @Test(
        "without backups only the live file stays, and a negative number counts as none",
        arguments: [0, -1, Int.min]
    )
    func noBackups(backups: Int) throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/console.log"
        let writer = RotatingFileWriter(path: path, limits: RotationLimits(size: 10_000, backups: backups))
        let text = NumberedLines.text(2000)
        try text.withUnsafeBytes { try writer.append($0) }
        let left = try #require(contents(path))
        #expect(left.count <= 10_000 && left.elementsEqual(text.suffix(left.count)))
        #expect(contents(path + ".0") == nil)
    }

    @Test("without a limit the file is never rotated")
    func unlimited() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/console.log"
        let writer = RotatingFileWriter(path: path, limits: RotationLimits(size: 0, backups: 3))
        let text = NumberedLines.text(5000)
        try text.withUnsafeBytes { try writer.append($0) }
        #expect(contents(path) == text)
        #expect(contents(path + ".0") == nil)
    }

    @Test("a symbolic link in the file's place is not followed")
    func symbolicLink() throws {
        let folder = TemporaryFolder()
        symlink("/dev/null", folder.path + "/console.log")
        let writer = RotatingFileWriter(path: folder.path + "/console.log")
        #expect(throws: (any Error).self) {
            try Array("line\n".utf8).withUnsafeBytes { try writer.append($0) }
        }
    }

    @Test("below the trusted folder no link is followed, neither at opening nor at rotation")
    func linkedFolder() throws {
        let folder = TemporaryFolder()
        let elsewhere = TemporaryFolder()
        mkdir(folder.path + "/tenant", 0o755)
        let line = Array("0123456789\n".utf8)
        func append(_ writer: RotatingFileWriter) throws {
            try line.withUnsafeBytes { try writer.append($0) }
        }
        func writer(_ path: String, trusted: String?) -> RotatingFileWriter {
            RotatingFileWriter(path: path, trustedFolder: trusted, limits: RotationLimits(size: line.count, backups: 1))
        }
        let own = writer(folder.path + "/tenant/x.log", trusted: folder.path)
        try append(own)
        rename(folder.path + "/tenant", folder.path + "/moved")
        symlink(elsewhere.path, folder.path + "/tenant")
        #expect(contents(folder.path + "/moved/x.log") == line)
        let error = #expect(throws: SystemError.self) { try append(own) }
        #expect(error?.code == ELOOP)
        #expect(contents(elsewhere.path + "/x.log") == nil && contents(elsewhere.path + "/x.log.0") == nil)
        // With the whole path belonging to the administrator.
        try append(writer(folder.path + "/tenant/x.log", trusted: nil))
        #expect(contents(elsewhere.path + "/x.log") == line)
    }
}
