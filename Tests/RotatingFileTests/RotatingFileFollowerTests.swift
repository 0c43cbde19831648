// SPDX-License-Identifier: Apache-2.0

import Glibc
import RotatingFile
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

@Suite(.blocking) struct RotatingFileFollowerTests {
    @Test(
        "the rest of a rotated file, and a line divided by the rotation, are read",
        arguments: RotatedLog.Style.allCases
    )
    func tornLine(style: RotatedLog.Style) {
        let log = RotatedLog(style)
        let reader = FollowedText(log.path)
        log.write("first\nhalf-")
        reader.read()
        #expect(reader.text == "first\nhalf-")
        log.write("of the ")
        log.rotate()
        log.write("line\nnext\n")
        reader.read()
        #expect(reader.text == "first\nhalf-of the line\nnext\n")
        #expect(reader.gaps.isEmpty)
    }

    @Test("files that came and were renamed between two reads are read in order", arguments: RotatedLog.Style.allCases)
    func skipped(style: RotatedLog.Style) {
        let log = RotatedLog(style)
        let reader = FollowedText(log.path)
        log.write("0\n")
        reader.read()
        for number in 1...3 {
            if style == .copied {
                // The copy of a copy is not found by its contents.
                reader.read()
            }
            log.rotate()
            log.write("\(number)\n")
        }
        reader.read()
        #expect(reader.bytes == log.written)
        #expect(reader.gaps.isEmpty)
    }

    @Test("a renamed file is read on for a while although the new one has lines, and not for ever")
    func rotateWait() throws {
        let log = RotatedLog(.logrotate)
        let clock = SetClock()
        let follower = RotatingFileFollower(log.path, rotateWait: 5_000_000, clock: clock)
        let buffer = FollowBuffer()
        var text = ""
        func read() {
            while case .bytes(let bytes) = follower.next(buffer) {
                text += String(decoding: bytes, as: UTF8.self)
            }
        }
        log.write("a\n")
        read()
        let old = open(log.path, O_WRONLY | O_APPEND)
        defer { close(old) }
        log.rotate()
        log.write("new\n")
        read()
        #expect(text == "a\n" && follower.waitTime == 5_000_000)
        #expect(write(old, "late\n", 5) == 5)
        clock.advance(4_999_999)
        read()
        #expect(text == "a\nlate\n" && follower.waitTime == 1)
        clock.advance(1)
        read()
        #expect(text == "a\nlate\nnew\n" && follower.waitTime == nil)
        // It was renamed long ago: there is nothing to wait for.
        log.rotate()
        log.write("newer\n")
        clock.advance(60_000_000)
        read()
        #expect(text == "a\nlate\nnew\nnewer\n")
        // The one after it has been renamed too.
        clock.advance(-65_000_000)
        for line in ["b\n", "c\n"] {
            log.rotate()
            log.write(line)
        }
        read()
        #expect(text == "a\nlate\nnew\nnewer\nb\n" && follower.waitTime == 5_000_000)
    }

    /// A clock that a test sets; it begins with the present, as the times of files do.
    private final class SetClock: HostClock {
        private let offset = Atomic<Int64>(0)
        private let begun = SystemClock().wallMicroseconds()

        func advance(_ microseconds: Int64) { offset.wrappingAdd(microseconds, ordering: .relaxed) }
        func wallMicroseconds() -> Int64 { begun + 1_000_000 + offset.load(ordering: .relaxed) }
        func monotonicMicroseconds() -> Int64 { offset.load(ordering: .relaxed) }
    }

    @Test("lines written by a program that still has the old file open are read before those of the new file")
    func lateWriter() {
        let log = RotatedLog(.logrotate)
        let reader = FollowedText(log.path)
        log.write("a\n")
        reader.read()
        let old = open(log.path, O_WRONLY | O_APPEND)
        log.rotate()
        close(open(log.path, O_WRONLY | O_CREAT, 0o644))
        reader.read()
        #expect(write(old, "b\n", 2) == 2)
        reader.read()
        #expect(reader.text == "a\nb\n")
        close(old)
        log.write("c\n")
        reader.read()
        #expect(reader.text == "a\nb\nc\n")
    }

    @Test("files are held open, so that what rotation removes is still read")
    func held() {
        let log = RotatedLog(.virtlogd, backups: 2)
        let reader = FollowedText(log.path, size: 4096)
        for number in 0..<12 {
            log.write([UInt8](repeating: UInt8(ascii: "a") + UInt8(number), count: 5000))
            reader.follower.holdNewFiles()
            log.rotate()
        }
        reader.read()
        #expect(reader.bytes == log.written)
        #expect(reader.gaps.isEmpty)
    }

    @Test("more files than are held are a gap of exactly the lost bytes, in its place")
    func lost() {
        let log = RotatedLog(.virtlogd, backups: 2)
        let reader = FollowedText(log.path)
        log.write("begin\n")
        reader.read()
        for number in 0..<40 {
            log.rotate()
            log.write("file \(number)\n")
            reader.follower.holdNewFiles()
        }
        reader.read()
        #expect(reader.gaps.allSatisfy { $0.reason == .removed })
        let lost = reader.gaps.compactMap(\.bytes).reduce(0, +)
        #expect(!reader.gaps.isEmpty && reader.gaps.allSatisfy { $0.bytes != nil })
        #expect(Int(lost) + reader.bytes.count == log.written.count)
        #expect(reader.text.hasSuffix("file 39\n"))
    }

    @Test("a missing folder and a missing file are waited for, also when they vanish later")
    func missing() {
        let folder = TemporaryFolder()
        let path = folder.path + "/sub/console-log"
        let reader = FollowedText(path)
        reader.read()
        #expect(reader.idle == .missing(folder.path + "/sub"))
        mkdir(folder.path + "/sub", 0o755)
        reader.read()
        #expect(reader.idle == .missing(path))
        for text in ["one\n", "two\n"] {
            let file = open(path, O_WRONLY | O_CREAT, 0o644)
            #expect(write(file, text, 4) == 4)
            close(file)
            reader.read()
            unlink(path)
            rmdir(folder.path + "/sub")
            reader.read()
            #expect(reader.idle == .atEnd)
            mkdir(folder.path + "/sub", 0o755)
        }
        #expect(reader.text == "one\ntwo\n")
        #expect(reader.gaps.isEmpty)
    }

    @Test("what is at the path and is no regular file is an error that names it, until it is replaced")
    func wrongKind() {
        let log = RotatedLog()
        mkfifo(log.path, 0o644)
        let reader = FollowedText(log.path)
        reader.read()
        guard case .failing(let error) = reader.idle else {
            Issue.record("\(reader.idle)")
            return
        }
        #expect("\(error)" == "open \(log.path): it is a FIFO, not a regular file")
        unlink(log.path)
        log.write("text\n")
        reader.read()
        #expect(reader.text == "text\n")
    }

    @Test("a link in the place of a file that was read is an error that names the remedy, until it is replaced")
    func link() {
        let log = RotatedLog()
        log.write("one\n")
        let reader = FollowedText(log.path)
        reader.read()
        #expect(rename(log.path, log.path + ".0") == 0 && symlink(log.path + ".0", log.path) == 0)
        for _ in 0..<2 {
            reader.read()
            guard case .failing(let error) = reader.idle else {
                Issue.record("\(reader.idle)")
                return
            }
            #expect("\(error)".contains("it is a symbolic link, not a regular file; links are not followed there"))
        }
        unlink(log.path)
        log.write("two\n")
        reader.read()
        #expect(reader.text == "one\ntwo\n" && reader.idle == .atEnd)
    }

    @Test(
        "a saved position continues with the next byte, whatever was rotated meanwhile",
        arguments: RotatedLog.Style.allCases
    )
    func restored(style: RotatedLog.Style) throws {
        let log = RotatedLog(style)
        let reader = FollowedText(log.path)
        log.write("one\ntwo\nthr")
        reader.read(1)
        let position = try #require(reader.position(before: 3))
        #expect(position.text == FollowPosition(text: position.text.utf8)?.text)
        log.write("ee\n")
        log.rotate()
        log.write("four\n")
        let next = FollowedText(log.path, start: .position(position))
        next.read()
        #expect(next.text == "three\nfour\n")
        #expect(next.gaps.isEmpty)
    }

    @Test("rotation to names that count upwards repeats nothing, and what the writer still writes is read")
    func upwards() {
        let log = RotatedLog()
        let reader = FollowedText(log.path)
        var wanted = ""
        for number in 0..<4 {
            let text = "file \(number)\n"
            log.write(text)
            wanted += text
            reader.read()
            // The program has its file open still.
            let file = Descriptor(owning: open(log.path, O_WRONLY | O_APPEND))
            rename(log.path, log.path + ".\(number + 1)")
            reader.read()
            let late = Array("late \(number)\n".utf8)
            #expect(write(file.raw, late, late.count) == late.count)
            wanted += "late \(number)\n"
            reader.read()
        }
        #expect(reader.text == wanted)
        #expect(reader.gaps.isEmpty)
    }

    @Test("when the file of a saved position is gone, a gap comes first, then the oldest file")
    func notRestored() throws {
        let log = RotatedLog(backups: 2)
        let reader = FollowedText(log.path)
        log.write("one\n")
        reader.read()
        let position = try #require(reader.follower.position)
        for number in 2...5 {
            log.rotate()
            log.write("\(number)\n")
        }
        let next = FollowedText(log.path, start: .position(position))
        next.read()
        #expect(next.gaps == [FollowGap(.removed, bytes: nil)])
        #expect(next.text == "3\n4\n5\n")
    }

    @Test("a new file with the same name, beginning and perhaps inode is not mistaken for the one that was read")
    func replaced() throws {
        let log = RotatedLog()
        let banner = String(repeating: "the same banner\n", count: 256)
        log.write(banner + "old\n")
        let position: FollowPosition
        do {
            let reader = FollowedText(log.path)
            reader.read()
            position = try #require(reader.follower.position)
        }
        unlink(log.path)
        log.write(banner + "new and longer\n")
        let next = FollowedText(log.path, start: .position(position))
        next.read()
        #expect(next.text == banner + "new and longer\n")
    }

    @Test("reading begins with the oldest file, the live one, or its end")
    func starts() {
        let log = RotatedLog()
        log.write("old\n")
        log.rotate()
        log.write("live\n")
        let readers = [RotatingFileFollower.Start.oldest, .live, .end].map { FollowedText(log.path, start: $0) }
        readers.forEach { $0.read() }
        log.write("new\n")
        readers.forEach { $0.read() }
        #expect(readers.map(\.text) == ["old\nlive\nnew\n", "live\nnew\n", "new\n"])
        let later = RotatedLog()
        let waiting = FollowedText(later.path, start: .end)
        waiting.read()
        later.write("all\n")
        waiting.read()
        #expect(waiting.text == "all\n")
    }

    @Test("20 files that begin with the same 4 KiB are read once each")
    func sameBeginning() {
        let log = RotatedLog(.virtlogd, backups: 30)
        let banner = String(repeating: "Linux version 6.1 (the same on each boot)\n", count: 100)
        for number in 0..<20 {
            log.write(banner + "\(number)\n")
            log.rotate()
        }
        let reader = FollowedText(log.path)
        reader.read()
        #expect(reader.bytes == log.written)
    }

    @Test("any bytes are returned as they are")
    func anyBytes() {
        let log = RotatedLog()
        let reader = FollowedText(log.path, size: 4096)
        var generator = SeededGenerator(seed: 7)
        for _ in 0..<50 {
            log.write(
                (0..<Int.random(in: 0...6000, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
            )
            reader.read()
        }
        #expect(reader.bytes == log.written)
    }
}
