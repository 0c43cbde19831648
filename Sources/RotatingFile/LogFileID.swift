// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The identity of a log file, which rotation does not change.
///
/// An inode number is reused once its file has been removed and closed. The time of birth tells the two apart, on file
/// systems that record it.
public struct LogFileID: Hashable, Sendable {
    public let device: UInt64
    public let inode: UInt64
    /// When it was created, in nanoseconds since the Unix epoch; nil where the file system does not record it.
    public let birth: Int64?

    public init(device: UInt64, inode: UInt64, birth: Int64?) {
        self.device = device
        self.inode = inode
        self.birth = birth
    }

    init(_ identity: FileIdentity, birth: Int64?) {
        self.init(device: identity.device, inode: identity.inode, birth: birth)
    }

    /// Whether it is the file with that identity now.
    func isFile(_ identity: FileIdentity?) -> Bool {
        identity.map { $0.device == device && $0.inode == inode } ?? false
    }

    /// Whether it is the file that an earlier process called `saved`. Device numbers are not compared when the times
    /// of birth are known, because they change when a file system is mounted again.
    func isSame(asSaved saved: LogFileID) -> Bool {
        guard inode == saved.inode else {
            return false
        }
        guard let birth, let savedBirth = saved.birth else {
            return device == saved.device
        }
        return birth == savedBirth
    }
}
