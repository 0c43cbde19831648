// SPDX-License-Identifier: Apache-2.0

import Glibc
import RotatingFile
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

/// Files that other programs remove, rename and truncate while they are written.
@Suite(.blocking) struct TidiedFileTests {
    /// A clock that only the test moves.
    private final class StoppedClock: HostClock {
        private let time = Atomic<Int64>(0)

        func wallMicroseconds() -> Int64 { monotonicMicroseconds() }
        func monotonicMicroseconds() -> Int64 { time.load(ordering: .relaxed) }
        func advance() { time.add(1_000_000, ordering: .relaxed) }
    }

    private let folder = TemporaryFolder()
    private let clock = StoppedClock()
    private var path: String { folder.path + "/console.log" }

    private func writer(size: Int = 0) -> RotatingFileWriter {
        RotatingFileWriter(path: path, limits: RotationLimits(size: size, backups: 2), clock: clock)
    }

    private func append(_ text: String, to writer: RotatingFileWriter) throws {
        try Array(text.utf8).withUnsafeBytes { try writer.append($0) }
    }

    private func text(_ path: String) throws -> String {
        let file = Descriptor(owning: open(path, O_RDONLY | O_CLOEXEC))
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(file.raw, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    @Test("a removed file is created anew at the next write a second later")
    func removed() throws {
        let writer = writer()
        try append("one\n", to: writer)
        unlink(path)
        // Not compared again yet: this is lost with the file.
        try append("two\n", to: writer)
        #expect(access(path, F_OK) != 0)
        clock.advance()
        try append("three\n", to: writer)
        #expect(try text(path) == "three\n")
    }

    @Test("a renamed file stays as it is, and a new one is begun")
    func renamed() throws {
        let writer = writer()
        try append("one\n", to: writer)
        rename(path, path + ".1")
        clock.advance()
        try append("two\n", to: writer)
        #expect(try text(path + ".1") == "one\n")
        #expect(try text(path) == "two\n")
    }

    @Test("a file that was put in its place is continued")
    func replaced() throws {
        let writer = writer()
        try append("one\n", to: writer)
        let other = folder.path + "/other"
        let file = Descriptor(owning: open(other, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
        #expect(write(file.raw, "theirs\n", 7) == 7)
        rename(other, path)
        clock.advance()
        try append("two\n", to: writer)
        #expect(try text(path) == "theirs\ntwo\n")
    }

    @Test("a truncated file continues at its end, without a hole, and is rotated by its new size")
    func truncated() throws {
        let writer = writer(size: 100)
        try append(String(repeating: "x", count: 39) + "\n", to: writer)
        truncate(path, 0)
        clock.advance()
        for line in ["one\n", "two\n"] {
            try append(line, to: writer)
        }
        #expect(try text(path) == "one\ntwo\n")
        try append(String(repeating: "y", count: 39) + "\n", to: writer)
        // By the old size this would be the third file.
        #expect(access(path + ".0", F_OK) != 0)
    }

    @Test("a file that another program put there is not rotated away")
    func replacedBeforeRotation() throws {
        let writer = writer(size: 10)
        try append("123456789\n", to: writer)
        rename(path, path + ".theirs")
        try append("next\n", to: writer)
        #expect(try text(path) == "next\n")
        #expect(access(path + ".0", F_OK) != 0)
    }

    @Test("reopening needs no next write: a removed file is there again, and one that is in place stays")
    func reopened() throws {
        let writer = writer()
        try writer.reopen()
        #expect(access(path, F_OK) != 0)
        try append("one\n", to: writer)
        try writer.reopen()
        #expect(try text(path) == "one\n")
        unlink(path)
        try writer.reopen()
        #expect(try text(path) == "" && access(path, F_OK) == 0)
        try append("two\n", to: writer)
        #expect(try text(path) == "two\n")
    }
}
