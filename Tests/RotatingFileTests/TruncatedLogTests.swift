// SPDX-License-Identifier: Apache-2.0

import Glibc
import RotatingFile
import SystemIO
import TestSupport
import TestTraits
import Testing

@Suite("Logs that another program truncates", .blocking)
struct TruncatedLogTests {
    @Test("a truncated file is read from its beginning, also when it is longer than before by then")
    func truncated() {
        let log = RotatedLog()
        let reader = FollowedText(log.path)
        log.write("before 1\nbefore 2\n")
        reader.read()
        truncate(log.path, 0)
        reader.read()
        log.write("after\n")
        reader.read()
        #expect(reader.text == "before 1\nbefore 2\nafter\n")
        truncate(log.path, 0)
        log.write("longer than the text before\n")
        reader.read()
        #expect(reader.text == "before 1\nbefore 2\nafter\nlonger than the text before\n")
        #expect(reader.gaps.count == 2)
    }

    @Test(
        "after a truncation, the hole that a writer without O_APPEND leaves is skipped",
        arguments: [1000, 1 << 20, (1 << 20) + 1000],
        [true, false]
    )
    func hole(size: Int, hasCopy: Bool) throws {
        for readsBetween in [true, false] {
            let log = RotatedLog()
            let reader = FollowedText(log.path)
            let file = open(log.path, O_WRONLY | O_CREAT, 0o644)
            defer { close(file) }
            let block = [UInt8](repeating: UInt8(ascii: "x"), count: size)
            #expect(write(file, block, block.count) == block.count)
            reader.read()
            if hasCopy {
                let copy = Descriptor(owning: open(log.path + ".1", O_WRONLY | O_CREAT, 0o644))
                #expect(write(copy.raw, block, block.count) == block.count)
            }
            truncate(log.path, 0)
            if readsBetween {
                reader.read()
            }
            #expect(write(file, "after\n", 6) == 6)
            reader.read()
            #expect(reader.bytes == block + Array("after\n".utf8))
        }
    }

    @Test("bytes that were copied and truncated before they were read are read from the copy", arguments: [0, 1])
    func copied(rest: Int) {
        let log = RotatedLog(.copied)
        let reader = FollowedText(log.path)
        log.write("begin\n")
        log.rotate()
        log.write("same line\n" + String(repeating: "same line\n", count: 20))
        reader.read()
        if rest > 0 {
            log.write("unread 1\nunread 2\n")
        }
        log.rotate()
        log.write("new\n")
        reader.read()
        reader.read()
        #expect(reader.bytes == log.written)
        #expect(reader.gaps.isEmpty)
    }

    @Test("what was copied and truncated before any of it was read is read from the copies", arguments: 1...2)
    func unreadCopies(rotations: Int) {
        let log = RotatedLog(.copied)
        let reader = FollowedText(log.path)
        log.write("begin\n")
        log.rotate()
        reader.read()
        for number in 0..<rotations {
            log.write("unread \(number)\n")
            log.rotate()
        }
        reader.read()
        log.write("new\n")
        reader.read()
        #expect(reader.bytes == log.written)
        #expect(reader.gaps.isEmpty)
    }
}
