// SPDX-License-Identifier: Apache-2.0

import CBytes

/// How far a rotated log has been read: a file, an offset in it, and a checksum of the bytes before that offset.
///
/// The checksum shows whether the file still has the contents that were read. After the log was copied and truncated
/// (logrotate's `copytruncate`), it finds the copy.
public struct FollowPosition: Hashable, Sendable {
    public var file: LogFileID
    /// Bytes of the file that have been read.
    public var offset: UInt64
    var check: ContentCheck
    /// How many bytes before the offset reading continues; not a part of `text`.
    public var rewind: UInt64 = 0

    init(file: LogFileID, offset: UInt64, check: ContentCheck) {
        self.file = file
        self.offset = offset
        self.check = check
    }

    /// The position as one line of ASCII text without a line feed, for files of state.
    public var text: String {
        let birth = file.birth.map { "\($0)" } ?? "-"
        return "1 \(file.device) \(file.inode) \(birth) \(offset) \(check.count) \(check.sum)"
    }

    /// The longest `text`, in bytes.
    public static let longestText = 128

    /// The position that `text` describes; nil if the text is not a position.
    public init?(text: some Collection<UInt8>) {
        guard text.count <= Self.longestText else {
            return nil
        }
        let words = text.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard words.count == 7, words[0] == "1",
            let device = UInt64(words[1]), let inode = UInt64(words[2]),
            let offset = UInt64(words[4]), offset <= UInt64(Int64.max),
            let count = Int(words[5]), (0...ContentCheck.window).contains(count), UInt64(count) <= offset,
            let sum = UInt32(words[6])
        else {
            return nil
        }
        let birth = Int64(words[3])
        guard birth != nil || words[3] == "-" else {
            return nil
        }
        self.init(
            file: LogFileID(device: device, inode: inode, birth: birth),
            offset: offset,
            check: ContentCheck(count: count, sum: sum)
        )
    }
}

/// A checksum (CRC-32C) of the last bytes before a position.
struct ContentCheck: Hashable, Sendable {
    /// Number of bytes, at most `window`.
    var count: Int
    var sum: UInt32

    /// Long enough to contain the time or the number at the beginning of a usual line.
    static let window = 256

    init(count: Int, sum: UInt32) {
        self.count = count
        self.sum = sum
    }

    /// The checksum of the end of `bytes`.
    init(endOf bytes: UnsafeRawBufferPointer) {
        let end = UnsafeRawBufferPointer(rebasing: bytes.suffix(Self.window))
        self.init(count: end.count, sum: gl_crc32c(0, end.baseAddress, end.count))
    }
}
