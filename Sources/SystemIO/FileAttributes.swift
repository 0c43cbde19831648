// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The identity of a file, independent of its path.
public struct FileIdentity: Hashable, Sendable {
    public let device: UInt64
    public let inode: UInt64

    public init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}

/// The parts of stat(2)'s result that are used here.
public struct FileAttributes: Hashable, Sendable {
    public enum Kind: Hashable, Sendable, CustomStringConvertible {
        case regular, directory, link, socket, fifo, characterDevice, blockDevice

        /// The kind with its article.
        public var description: String {
            switch self {
            case .regular: "a regular file"
            case .directory: "a directory"
            case .link: "a symbolic link"
            case .socket: "a socket"
            case .fifo: "a FIFO"
            case .characterDevice: "a character device"
            case .blockDevice: "a block device"
            }
        }
    }

    public let kind: Kind
    public let identity: FileIdentity
    public let owner: UInt32
    public let group: UInt32
    /// The permissions, with the bits for set-user-ID, set-group-ID and sticky.
    public let permissions: UInt32
    /// In bytes.
    public let size: Int
    /// The bytes that its file system has allocated: fewer than `size` where it has holes.
    public let allocated: Int
    /// When its contents were last changed, in nanoseconds since the epoch (mtime).
    public let modified: Int
    /// When its inode was last changed, in nanoseconds since the epoch (ctime).
    public let changed: Int

    /// The unit of `st_blocks`, whatever the file system's blocks are.
    private static let blockSize = 512

    init(_ status: stat) {
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFDIR: .directory
            case S_IFLNK: .link
            case S_IFSOCK: .socket
            case S_IFIFO: .fifo
            case S_IFCHR: .characterDevice
            case S_IFBLK: .blockDevice
            default: .regular
            }
        identity = FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        owner = status.st_uid
        group = status.st_gid
        permissions = status.st_mode & 0o7777
        size = max(0, Int(status.st_size))
        allocated = max(0, Int(status.st_blocks)) * Self.blockSize
        modified = status.st_mtim.count(perSecond: 1_000_000_000)
        changed = status.st_ctim.count(perSecond: 1_000_000_000)
    }

    /// The status of a file that is not on a disk, as in a file system for tests.
    public init(_ kind: Kind, _ identity: FileIdentity, size: Int, modified: Int) {
        (self.kind, self.identity, self.size, allocated) = (kind, identity, size, size)
        (owner, group, permissions) = (0, 0, 0o600)
        (self.modified, changed) = (modified, modified)
    }

    /// The status of an open file; `path` is named in errors.
    public init(of descriptor: Int32, _ path: String = "") throws(SystemError) {
        var status = stat()
        try systemCall("stat", path) { fstat(descriptor, &status) }
        self.init(status)
    }

    /// The status of the file at `path`, without following a link; nil when there is none, or it cannot be determined.
    public init?(at path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            return nil
        }
        self.init(status)
    }

    /// The status of the file that `path` leads to, links followed.
    public init(following path: String) throws(SystemError) {
        var status = stat()
        try systemCall("stat", path) { stat(path, &status) }
        self.init(status)
    }

    /// Whether two paths are those of one file: they are equal, or lead to the same file, as `/run` and `/var/run` do.
    public static func isSameFile(_ path: String, _ other: String) -> Bool {
        guard path != other else {
            return true
        }
        let identity = (try? FileAttributes(following: path))?.identity
        return identity != nil && identity == (try? FileAttributes(following: other))?.identity
    }

    public var isDirectory: Bool { kind == .directory }

    /// When its contents were last changed, in microseconds since the epoch.
    public var modifiedMicroseconds: Int64 { Int64(modified / 1000) }
}
