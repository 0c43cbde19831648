// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// Bytes of a followed log that cannot be read any more.
public struct FollowGap: Hashable, Sendable {
    public enum Reason: Hashable, Sendable, CustomStringConvertible {
        /// The file was removed, or rotated away, before it was read.
        case removed
        /// The file was truncated, perhaps before it was read to its end.
        case truncated
        /// The file was compressed before it was read.
        case compressed
        /// There were more rotated files than are read.
        case surplus

        /// The reason, as in "4096 bytes lost: …".
        public var description: String {
            switch self {
            case .removed: "the file was removed before it was read"
            case .truncated: "the file was truncated, perhaps before it was read to its end"
            case .compressed: "the file was compressed before it was read"
            case .surplus: "older than the newest \(LogFolderScan.maximumRotated) rotated files"
            }
        }
    }

    public var reason: Reason
    /// Number of bytes; nil when that is unknown, and may be 0.
    public var bytes: UInt64?

    public init(_ reason: Reason, bytes: UInt64?) {
        self.reason = reason
        self.bytes = bytes
    }

    /// This gap and the next one as one; nil when they differ in reason, or in whether their size is known.
    func joined(with next: FollowGap) -> FollowGap? {
        guard reason == next.reason, (bytes == nil) == (next.bytes == nil) else {
            return nil
        }
        return FollowGap(reason, bytes: bytes.map { $0.addingClamped(next.bytes!) })
    }
}

/// Why a follower has nothing to return.
public enum FollowIdle: Hashable, Sendable {
    /// All that was written has been read.
    case atEnd
    /// This path, of the file or of its folder, does not exist.
    case missing(String)
    /// A file or the folder cannot be read. The caller tries again after a while: no `LogFileWatch` reports the end of
    /// it.
    case failing(SystemError)
}
