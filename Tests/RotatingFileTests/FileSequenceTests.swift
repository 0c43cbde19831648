// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import RotatingFile

@Suite struct FileSequenceTests {
    private func id(_ number: UInt64) -> LogFileID {
        LogFileID(device: 1, inode: number, birth: nil)
    }

    private func backup(_ number: UInt64, size: UInt64 = 10) -> FileSequence.Entry {
        FileSequence.Entry(id: id(number), size: size)
    }

    private func live(_ number: UInt64) -> FileSequence.Entry {
        FileSequence.Entry(id: id(number), size: 10, isLive: true)
    }

    /// A sequence that reads file 3, the live one, after the backups 1 and 2.
    private func reading() -> FileSequence {
        var sequence = FileSequence()
        sequence.accept([backup(1), backup(2), live(3)]) { _ in false }
        for _ in 1...3 {
            while case .drain = sequence.endReached(nextHasBytes: true) {}
        }
        return sequence
    }

    @Test("all files are read from the oldest on, and the live one is waited on")
    func begins() {
        var sequence = FileSequence()
        sequence.accept([backup(1), live(2)]) { _ in false }
        #expect(sequence.endReached(nextHasBytes: true) == .next(.file(backup(1))))
        #expect(sequence.endReached(nextHasBytes: true) == .drain)
        #expect(sequence.endReached(nextHasBytes: true) == .next(.file(live(2))))
        #expect(sequence.endReached(nextHasBytes: true) == .wait)
        #expect(sequence.current == id(2))
    }

    @Test("a rotated file is read to its end once more after its successor has bytes, and not left before")
    func drains() {
        var sequence = reading()
        sequence.accept([backup(2), backup(3), live(4)]) { _ in false }
        #expect(sequence.endReached(nextHasBytes: false) == .wait)
        #expect(sequence.endReached(nextHasBytes: true) == .drain)
        #expect(sequence.endReached(nextHasBytes: true) == .next(.file(live(4))))
    }

    @Test("several rotations at once are followed file by file, even when the current file is gone")
    func several() {
        var sequence = reading()
        sequence.accept([backup(2), backup(3), live(4)]) { _ in false }
        sequence.accept([backup(4), backup(5), live(6)]) { _ in false }
        #expect(sequence.pending == [.file(backup(4)), .file(backup(5)), .file(live(6))])
    }

    @Test("a file that is held open stays in its place after rotation has removed it; another is a gap of its size")
    func removed() {
        var sequence = reading()
        sequence.accept([backup(3), backup(4), backup(5, size: 70), live(6)]) { _ in false }
        sequence.accept([live(6)]) { $0 == id(4) }
        #expect(
            sequence.pending == [.file(backup(4)), .gap(FollowGap(.removed, bytes: 70)), .file(live(6))]
        )
    }

    @Test("when nothing known is left, an unknown number of bytes is missing")
    func unknown() {
        var sequence = reading()
        sequence.accept([backup(7), backup(8), live(9)]) { _ in false }
        #expect(sequence.pending.first == .gap(FollowGap(.removed, bytes: nil)))
        #expect(sequence.pending.count == 4)
    }

    @Test("a live file that was removed and created again is no loss, and its backups are not read again")
    func recreated() {
        var sequence = reading()
        sequence.accept([backup(1), backup(2)]) { _ in false }
        #expect(sequence.pending.isEmpty)
        sequence.accept([backup(1), backup(2), live(4)]) { _ in false }
        #expect(sequence.pending == [.file(live(4))])
    }

    @Test("a backup that was compressed after it was read is not read again; one that was not read is a gap")
    func compressed() {
        var sequence = reading()
        let archive = FileSequence.Entry(id: id(20), size: 1, isCompressed: true, modified: 5)
        sequence.accept([archive, live(4)], currentModified: 5) { _ in false }
        #expect(sequence.pending == [.file(live(4))])
        let unread = FileSequence.Entry(id: id(21), size: 1, isCompressed: true, modified: 9)
        sequence = reading()
        sequence.accept([archive, unread, live(5)], currentModified: 5) { _ in false }
        #expect(sequence.pending == [.gap(FollowGap(.compressed, bytes: nil)), .file(live(5))])
    }

    @Test("the copy of a truncated file is read first, then the file itself")
    func copy() {
        var sequence = reading()
        sequence.insertCopy(id(30))
        sequence.accept([backup(2), backup(30), live(3)]) { _ in false }
        #expect(sequence.current == id(30))
        #expect(sequence.endReached(nextHasBytes: true) == .drain)
        #expect(sequence.endReached(nextHasBytes: true) == .next(.file(live(3))))
    }
}
