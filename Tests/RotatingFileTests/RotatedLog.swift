// SPDX-License-Identifier: Apache-2.0

import Glibc
import RotatingFile
import SystemIO
import TestSupport

/// A log that a test writes and rotates as other programs do.
final class RotatedLog {
    enum Style: CaseIterable {
        /// PATH.0 is the newest of three backups, and a new file is opened at once.
        case virtlogd
        /// PATH.1 is the newest of three; the new file is created with the next write.
        case logrotate
        /// PATH-DATE.
        case dated
        /// PATH.1 is a copy, and PATH is truncated.
        case copied
    }

    let folder = TemporaryFolder()
    let path: String
    let style: Style
    /// All that was written.
    private(set) var written: [UInt8] = []
    private var rotations = 0
    private let backups: Int

    init(_ style: Style = .virtlogd, backups: Int = 3) {
        self.style = style
        self.backups = backups
        path = folder.path + "/console-log"
    }

    func write(_ text: String) {
        write(Array(text.utf8))
    }

    func write(_ bytes: [UInt8]) {
        append(bytes, to: path)
        written += bytes
    }

    private func append(_ bytes: [UInt8], to path: String, _ flags: Int32 = O_APPEND) {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0o644)
        precondition(file >= 0 && Glibc.write(file, bytes, bytes.count) == bytes.count)
        close(file)
    }

    /// Does nothing when there is no live file, as logrotate.
    func rotate() {
        guard access(path, F_OK) == 0 else {
            return
        }
        rotations += 1
        switch style {
        case .virtlogd:
            shift(from: 0)
            rename(path, path + ".0")
            append([], to: path)
        case .logrotate:
            shift(from: 1)
            rename(path, path + ".1")
        case .dated:
            let number = String(rotations)
            let date = "20260101" + String(repeating: "0", count: 6 - number.utf8.count) + number
            rename(path, path + "-" + date)
        case .copied:
            shift(from: 1)
            append(bytes(of: path), to: path + ".1", O_TRUNC)
            truncate(path, 0)
        }
    }

    /// The live file's inode number.
    var inode: UInt64? { FileAttributes(at: path)?.identity.inode }

    private func shift(from first: Int) {
        let last = first + backups - 1
        unlink("\(path).\(last)")
        for number in (first..<last).reversed() {
            rename("\(path).\(number)", "\(path).\(number + 1)")
        }
    }

    func bytes(of path: String) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return [] }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while case let count = read(file, &buffer, buffer.count), count > 0 {
            bytes += buffer[..<count]
        }
        return bytes
    }
}

/// What a follower has returned.
final class FollowedText {
    let follower: RotatingFileFollower
    private let buffer: FollowBuffer
    private(set) var bytes: [UInt8] = []
    private(set) var gaps: [FollowGap] = []
    private(set) var idle = FollowIdle.atEnd
    /// The last bytes that were returned together.
    private(set) var last: [UInt8] = []

    init(_ path: String, start: RotatingFileFollower.Start = .oldest, size: Int = FollowBuffer.defaultSize) {
        follower = RotatingFileFollower(path, start: start)
        buffer = FollowBuffer(size: size)
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    /// Reads all there is, or `most` pieces.
    func read(_ most: Int = .max) {
        var pieces = 0
        while pieces < most {
            switch follower.next(buffer) {
            case .bytes(let new):
                last = Array(new)
                bytes += last
            case .gap(let gap):
                gaps.append(gap)
            case .idle(let reason):
                idle = reason
                return
            }
            pieces += 1
        }
    }

    func position(before count: Int) -> FollowPosition? {
        follower.position(before: count, of: last.count, in: buffer)
    }
}
