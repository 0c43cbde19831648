// SPDX-License-Identifier: Apache-2.0

import LogModel
import RotatingFile

/// Where the reading of a rotated log begins again.
///
/// As bytes: a number of records to skip, with flags, and a number of bytes; where a release is known, its distance; four
/// bytes each, most significant first; and the follower's position.
struct FileResume {
    /// The number of records to skip.
    var skip: Int
    /// The follower's position is so many bytes behind where reading begins: the bytes before a position identify its file,
    /// and a file's first bytes have none before them.
    var behind: UInt64
    /// Whether it is so many bytes before, as in what earlier versions wrote.
    var isBefore = false
    /// So many bytes after where reading begins, what was held back was passed on without waiting for what follows.
    var release: UInt64?
    /// The follower's position, as text.
    var position: [UInt8]

    private static let isBehind: UInt32 = 1 << 31
    private static let hasRelease: UInt32 = 1 << 30

    init(skip: Int, behind: UInt64, release: UInt64?, position: [UInt8]) {
        self.skip = skip
        self.behind = behind
        self.release = release
        self.position = position
    }

    init?(_ bytes: [UInt8]) {
        guard bytes.count > 8 else {
            return nil
        }
        let first = UInt32(bytes[..<4].bigEndian)
        let flags = first & (Self.isBehind | Self.hasRelease)
        skip = Int(first & ~flags)
        behind = UInt64(bytes[4..<8].bigEndian)
        isBefore = flags & Self.isBehind == 0
        var rest = bytes[8...]
        if flags & Self.hasRelease != 0 {
            guard rest.count > 4 else {
                return nil
            }
            release = UInt64(rest.prefix(4).bigEndian)
            rest = rest.dropFirst(4)
        }
        position = Array(rest)
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(12 + position.count)
        let flags = Self.isBehind | (release == nil ? 0 : Self.hasRelease)
        bytes.append(bigEndian: min(UInt32(clamping: skip), Self.hasRelease - 1) | flags)
        bytes.append(bigEndian: UInt32(clamping: behind))
        if let release {
            bytes.append(bigEndian: UInt32(clamping: release))
        }
        return bytes + position
    }
}
