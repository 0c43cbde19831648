import Glibc

/// What stat(2) says of a file, as far as it is used here.
public struct FileAttributes: Hashable, Sendable {
    /// What a file is.
    public enum Kind: Hashable, Sendable {
        case regular, directory, link, socket, fifo, characterDevice, blockDevice

        /// The kind in words, with its article.
        public var words: String {
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

    /// Which file it is, by whatever path it is reached.
    public struct Identity: Hashable, Sendable {
        /// The file system's device.
        public let device: UInt64
        /// The file's number there.
        public let inode: UInt64
    }

    /// What it is.
    public let kind: Kind
    /// Which file it is.
    public let identity: Identity
    /// The user it belongs to.
    public let owner: UInt32
    /// Bytes in it.
    public let size: UInt64
    /// When its inode changed last, in nanoseconds since the epoch (ctime).
    public let changed: Int

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
        identity = Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
        owner = status.st_uid
        size = UInt64(max(0, status.st_size))
        changed = status.st_ctim.tv_sec * 1_000_000_000 + status.st_ctim.tv_nsec
    }

    /// The status of an open file; `path` is named in errors.
    public init(of descriptor: Int32, _ path: String) throws(SystemError) {
        var status = stat()
        try systemCall("stat", path) { fstat(descriptor, &status) }
        self.init(status)
    }

    /// The status of what lies at `path`, and not of what a link there leads to; nil when nothing does, or when that
    /// cannot be told.
    public init?(at path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            return nil
        }
        self.init(status)
    }
}
