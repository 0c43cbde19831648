// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import RotatingFile

/// Logs with more rotated files than programs make: a guest may be able to make them.
@Suite(.blocking) struct ManyFilesTests {
    @Test("a log with many empty files is passed file by file, so that its reader can do other things")
    func emptyFiles() {
        let folder = TemporaryFolder()
        let path = folder.path + "/log"
        for number in 1...20 {
            close(open("\(path).\(number)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644))
        }
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        #expect(write(file, "text\n", 5) == 5)
        close(file)
        let follower = RotatingFileFollower(path)
        let buffer = FollowBuffer()
        var (pauses, text) = (0, [UInt8]())
        reading: while true {
            switch follower.next(buffer) {
            case .bytes(let bytes):
                pauses += bytes.isEmpty ? 1 : 0
                text += bytes
            case .gap(let gap): Issue.record("\(gap)")
            case .idle: break reading
            }
        }
        #expect(text == Array("text\n".utf8))
        #expect(pauses >= 10)
    }

    /// Creates `path` with the text `NUMBER;` for each of `numbers`, under dated names.
    private func rotatedFiles(_ numbers: Range<Int>, of path: String, compressed: Bool = false) {
        for number in numbers {
            let name = "\(path).\(20_000_000 + number)\(compressed ? ".gz" : "")"
            let file = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
            let text = Array("\(number);".utf8)
            #expect(write(file, text, text.count) == text.count)
            close(file)
        }
    }

    @Test("many rotated files are read with one scan of their folder for several of them")
    func scans() {
        let folder = TemporaryFolder()
        let path = folder.path + "/log"
        rotatedFiles(0..<400, of: path)
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644))
        let reader = FollowedText(path)
        reader.read()
        #expect(reader.text == (0..<400).map { "\($0);" }.joined())
        #expect(reader.follower.scanCount < 80, "\(reader.follower.scanCount)")
    }

    @Test("of very many rotated files the newest are read, and that there are older ones is a gap")
    func surplus() {
        let folder = TemporaryFolder()
        let path = folder.path + "/log"
        let count = LogFolderScan.maximumRotated
        rotatedFiles(0..<count + 5, of: path)
        var reader = FollowedText(path)
        reader.read()
        #expect(reader.gaps == [FollowGap(.surplus, bytes: nil)])
        #expect(reader.text == (5..<count + 5).map { "\($0);" }.joined())
        // What is compressed would not be read anyway.
        rotatedFiles(0..<count, of: path + "2", compressed: true)
        rotatedFiles(count..<count + 5, of: path + "2")
        reader = FollowedText(path + "2")
        reader.read()
        #expect(reader.gaps.isEmpty)
        #expect(reader.text == (count..<count + 5).map { "\($0);" }.joined())
    }

    @Test("a log with far too many files is refused, once what is open is read, until some are removed")
    func tooMany() {
        let log = RotatedLog(.logrotate)
        log.write("one\n")
        let reader = FollowedText(log.path)
        reader.read()
        #expect(reader.text == "one\n")
        let surplus = 0..<LogFolderScan.maximumNames
        rotatedFiles(surplus, of: log.path)
        log.write("two\n")
        log.rotate()
        log.write("three\n")
        reader.read()
        #expect(reader.text == "one\ntwo\n")
        guard case .failing(let error) = reader.idle else {
            Issue.record("\(reader.idle)")
            return
        }
        #expect(error.code == EFBIG && "\(error)".contains("remove"))
        for number in surplus {
            unlink("\(log.path).\(20_000_000 + number)")
        }
        reader.read()
        #expect(reader.idle == .atEnd && reader.bytes == log.written && reader.gaps.isEmpty)
    }
}
