import SystemIO

/// An open file of a `FileSystem`.
public struct FileID: Hashable, Sendable {
    /// The file system's own number for it.
    public let number: Int32

    /// The file with that number.
    public init(number: Int32) {
        self.number = number
    }
}

/// Which file a path leads to: two files that exist at one time never have the same.
public struct FileIdentity: Hashable, Sendable {
    /// The number of the device it lies on.
    public var device: UInt64
    /// Its number there.
    public var inode: UInt64

    /// The file `inode` of `device`.
    public init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }
}

/// What a path leads to; a symbolic link is not followed.
public struct FileStatus: Hashable, Sendable {
    /// What kind of file it is.
    public enum Kind: Hashable, Sendable {
        case regular, directory
        /// A link, a device, a pipe or a socket: nothing that the store makes.
        case other
    }

    /// Length in bytes.
    public var size: Int
    /// Microseconds since the Unix epoch of the last change of the contents.
    public var modified: Int64
    /// What it is.
    public var kind: Kind
    /// Which file it is.
    public var identity: FileIdentity

    /// A status from its parts.
    public init(size: Int, modified: Int64, kind: Kind, identity: FileIdentity) {
        self.size = size
        self.modified = modified
        self.kind = kind
        self.identity = identity
    }

    /// Whether it is a folder.
    public var isDirectory: Bool { kind == .directory }
}

/// How big a file system is.
public struct FileSystemSpace: Hashable, Sendable {
    /// Bytes in all.
    public var size: Int
    /// Bytes that can still be written without privilege.
    public var free: Int

    /// A space from its parts.
    public init(size: Int, free: Int) {
        self.size = size
        self.free = free
    }
}

/// How a file is opened.
public enum OpenMode: Sendable {
    /// To read; must exist.
    case read
    /// To read and write; must exist.
    case update
    /// To read and write; made empty when absent.
    case create
}

/// The few file-system calls the store stands on, so that tests can tear, reorder, fail and hang them.
///
/// All offsets are explicit: nothing depends on a file position. Writes may be short, as write(2)'s may.
public protocol FileSystem: Sendable {
    /// Opens a regular file. What is anything else, a link among them, is refused and not waited for.
    func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> FileID
    /// Closes it; never fails.
    func close(_ file: FileID)
    /// Reads at `offset`; returns 0 at the end.
    func read(_ file: FileID, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int
    /// Writes at `offset`; returns how much was written, at least 1.
    func write(_ file: FileID, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int
    /// Cuts or extends a file.
    func truncate(_ file: FileID, to size: Int) throws(SystemError)
    /// A file's length.
    func size(_ file: FileID) throws(SystemError) -> Int
    /// Puts a file's data on disk.
    func synchronize(_ file: FileID) throws(SystemError)
    /// Puts a folder's names on disk.
    func synchronizeDirectory(_ path: String) throws(SystemError)
    /// Puts everything of the file system that holds `file` on disk. Fails when anything written since the file was
    /// opened, or since the last call, could not be.
    func synchronizeAll(_ file: FileID) throws(SystemError)
    /// Sets when a file's contents are said to have changed last, in microseconds since the Unix epoch.
    func setModified(_ path: String, _ microseconds: Int64) throws(SystemError)
    /// Takes the file's exclusive lock, if nobody has it; it goes with the file's last descriptor.
    func tryLock(_ file: FileID) -> Bool
    /// Whether somebody has the file's exclusive lock. To find that out the lock is shared for a moment.
    func isLocked(_ file: FileID) -> Bool
    /// Gives a file that many bytes of disk, so that they can be had back when it is full.
    func allocate(_ file: FileID, _ size: Int) throws(SystemError)
    /// How much room there is where `path` lies; nil when that is not known.
    func space(at path: String) -> FileSystemSpace?
    /// Makes a folder; no error when it is there.
    func makeDirectory(_ path: String) throws(SystemError)
    /// The names in a folder, in no order.
    func names(in directory: String) throws(SystemError) -> [String]
    /// Renames a file, replacing the target.
    func rename(_ path: String, to target: String) throws(SystemError)
    /// Removes a file; no error when it is gone.
    func remove(_ path: String) throws(SystemError)
    /// Removes an empty folder; no error when it is gone.
    func removeDirectory(_ path: String) throws(SystemError)
    /// What `path` leads to, or nil when nothing is there.
    func status(_ path: String) -> FileStatus?
}

extension FileSystem {
    /// The whole of a small file, `limit` bytes at most, or nil when there is none.
    public func contents(of path: String, limit: Int = smallFileLimit) throws(SystemError) -> [UInt8]? {
        guard status(path) != nil else {
            return nil
        }
        let file = try StoredFile(path, .read, on: self)
        return try file.read(at: 0, count: min(try file.size, limit))
    }

    /// Bytes of a file that holds a few facts.
    public static var smallFileLimit: Int { 1 << 20 }
    /// Bytes of a table with a line for everything that is open.
    public static var tableLimit: Int { 64 << 20 }

    /// Makes a folder and those above it that are missing.
    public func makeDirectories(_ path: String) throws(SystemError) {
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/" + part
            if status(made) == nil {
                try makeDirectory(made)
            }
        }
    }

    /// Replaces the small file `name` in `folder` whole: a reader, and a host that dies, sees the old or the new
    /// contents, never a part; after the return, the new.
    public func replace(_ name: String, in folder: String, with bytes: [UInt8]) throws(SystemError) {
        let path = folder + "/" + name
        let temporary = path + ".new"
        let file = try StoredFile(temporary, .create, on: self)
        try file.truncate(to: 0)
        try file.write(at: 0, bytes)
        try file.synchronize()
        try rename(temporary, to: path)
        try synchronizeDirectory(folder)
    }
}
