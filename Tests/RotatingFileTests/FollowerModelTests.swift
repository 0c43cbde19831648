// SPDX-License-Identifier: Apache-2.0

import Glibc
import RotatingFile
import TestSupport
import TestTraits
import Testing

/// Random writes, rotations, reads and restarts: the follower returns every byte once, in order, or a gap.
@Suite(.blocking) struct FollowerModelTests {
    /// Fewer rotations between two reads than there are backups, so that nothing may be lost.
    private static let backups = 5
    /// The number of histories of each kind; `GUESTLOG_FOLLOWER_HISTORIES` sets another.
    private static let histories = getenv("GUESTLOG_FOLLOWER_HISTORIES").flatMap { Int(String(cString: $0)) } ?? 12

    @Test("no byte is lost or doubled", arguments: RotatedLog.Style.allCases, 0..<histories)
    func random(style: RotatedLog.Style, seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let log = RotatedLog(style, backups: Self.backups)
        var reader = FollowedText(log.path, size: 4096)
        var read: [UInt8] = []
        var (line, rotations) = (0, 0)
        // A copy is known by the last bytes that were read of the live file, or because none was read.
        func mayRotate() -> Bool {
            guard style == .copied, rotations == 0, let position = reader.follower.position else {
                return rotations < Self.backups - 1
            }
            return position.offset == 0 || position.offset >= 64 && position.file.inode == log.inode
        }
        var history: [String] = []
        for _ in 0..<60 {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<4:
                history.append("write from \(line) at \(log.written.count)")
                var text: [UInt8] = []
                for _ in 0..<Int.random(in: 1...40, using: &generator) {
                    text += NumberedLines.line(line)
                    line += 1
                }
                log.write(Array(text.prefix(Int.random(in: 1...text.count, using: &generator))))
            case 4..<7 where mayRotate():
                history.append("rotate")
                log.rotate()
                rotations += 1
            case 7:
                reader.follower.holdNewFiles()
            case 8 where style != .copied || rotations == 0:
                // A restart, from a position before the last bytes.
                history.append("restart")
                reader.read()
                guard let position = reader.follower.position else {
                    break
                }
                read += reader.bytes
                #expect(reader.gaps.isEmpty)
                reader = FollowedText(log.path, start: .position(position), size: 4096)
                reader.read()
                rotations = 0
            default:
                history.append("read")
                reader.read()
                rotations = 0
            }
        }
        reader.read()
        read += reader.bytes
        #expect(reader.gaps.isEmpty)
        let isSame = read == log.written
        let offset = zip(read, log.written).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        #expect(isSame, "\(read.count) of \(log.written.count) bytes, the same up to \(offset ?? -1): \(history)")
    }

    @Test(
        "with too many rotations between two reads, what is returned is what was written, without the gaps",
        arguments: 0..<histories
    )
    func lossy(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(1000 + seed))
        let log = RotatedLog(.virtlogd, backups: 2)
        let reader = FollowedText(log.path)
        for number in 0..<200 {
            log.write(NumberedLines.line(number))
            if Bool.random(using: &generator) {
                log.rotate()
            }
            if Int.random(in: 0..<8, using: &generator) == 0 {
                reader.read()
            }
        }
        reader.read()
        let numbers = NumberedLines.numbers(in: reader.bytes)
        #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
        #expect(numbers.last == 199)
        let known = reader.gaps.allSatisfy { $0.bytes != nil }
        let lost = reader.gaps.compactMap(\.bytes).reduce(0, +)
        #expect(!known || Int(lost) + reader.bytes.count == log.written.count)
    }
}
