// SPDX-License-Identifier: Apache-2.0

import Glibc

/// An open file of a `FileSystem`.
public struct FileID: Hashable, Sendable {
    public let number: Int32

    public init(number: Int32) {
        self.number = number
    }
}

/// The size of a file system.
public struct FileSystemSpace: Hashable, Sendable {
    /// Bytes in total.
    public var size: Int
    /// Bytes available without privilege.
    public var free: Int

    public init(size: Int, free: Int) {
        self.size = size
        self.free = free
    }
}

/// How a file is opened.
public enum OpenMode: Sendable {
    /// For reading; must exist.
    case read
    /// For reading and writing; must exist.
    case update
    /// For reading and writing; created empty when absent.
    case create
}

/// The file-system calls that the store uses, so that tests can tear, reorder, fail and block them.
///
/// All offsets are explicit. Writes may be short, as in write(2).
public protocol FileSystem: Sendable {
    /// Opens a regular file. Other kinds of files, links included, are refused without waiting.
    func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> FileID
    func close(_ file: FileID)
    func read(_ file: FileID, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int
    func write(_ file: FileID, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int
    func truncate(_ file: FileID, to size: Int) throws(SystemError)
    func size(_ file: FileID) throws(SystemError) -> Int
    /// Syncs a file's data.
    func synchronize(_ file: FileID) throws(SystemError)
    /// Syncs a folder's entries.
    func synchronizeDirectory(_ path: String) throws(SystemError)
    /// Syncs everything on the file system of `file`. Throws when anything written since the file was opened, or since
    /// the last call, could not be written.
    func synchronizeAll(_ file: FileID) throws(SystemError)
    /// Sets the modification time of a file, in microseconds since the Unix epoch.
    func setModified(_ path: String, _ microseconds: Int64) throws(SystemError)
    /// Takes the file's lock, if it is free; the lock ends with the file's last descriptor.
    func tryLock(_ file: FileID, isShared: Bool) -> Bool
    /// Whether another open file holds the file's exclusive lock. The test takes the shared lock for a moment.
    func isLocked(_ file: FileID) -> Bool
    /// Takes one of the file's numbered locks, which are independent of the former, if it is free. A number has 63 bits.
    func tryLock(_ file: FileID, number: Int64, isShared: Bool) -> Bool
    /// Releases a numbered lock.
    func unlock(_ file: FileID, number: Int64)
    /// Releases the file's lock and its numbered ones.
    func unlock(_ file: FileID)
    /// Whether another open file holds the numbered lock, shared or not.
    func isLocked(_ file: FileID, number: Int64) -> Bool
    /// Allocates disk space for a file, to be released when the disk is full.
    func allocate(_ file: FileID, _ size: Int) throws(SystemError)
    /// The free space of the file system of `path`; nil when it is unknown.
    func space(at path: String) -> FileSystemSpace?
    func makeDirectory(_ path: String) throws(SystemError)
    func names(in directory: String) throws(SystemError) -> [String]
    func rename(_ path: String, to target: String) throws(SystemError)
    func remove(_ path: String) throws(SystemError)
    func removeDirectory(_ path: String) throws(SystemError)
    /// The status of `path`, without following a link; nil when nothing exists there.
    func status(_ path: String) -> FileAttributes?
}

extension FileSystem {
    /// The contents of a small file; nil when it does not exist. Throws EUCLEAN when it has more than `limit` bytes: then it
    /// was not written by this program.
    public func contents(of path: String, limit: Int = smallFileLimit) throws(SystemError) -> [UInt8]? {
        guard status(path) != nil else {
            return nil
        }
        let file = try StoredFile(path, .read, on: self)
        let size = try file.size
        guard size <= limit else {
            throw SystemError("read", path, code: EUCLEAN, reason: "it has \(size) bytes; the limit is \(limit)")
        }
        return try file.read(at: 0, count: size)
    }

    /// Maximum size of a metadata file, in bytes.
    public static var smallFileLimit: Int { 1 << 20 }
    /// Maximum size of a table with a line for every open object, in bytes.
    public static var tableLimit: Int { 64 << 20 }

    /// Creates a folder and its missing parents.
    public func makeDirectories(_ path: String) throws(SystemError) {
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/" + part
            if status(made) == nil {
                try makeDirectory(made)
            }
        }
    }

    /// Replaces the small file `name` in `folder` atomically: a reader, and a host that crashes, sees the old or the
    /// new contents; after the return, the new.
    ///
    /// With `isDurable` false nothing waits for the disk: after a crash of the host before the next sync of the file
    /// system the file may be missing, empty or torn. Two syncs take some milliseconds.
    public func replace(
        _ name: String,
        in folder: String,
        with bytes: [UInt8],
        isDurable: Bool = true
    ) throws(SystemError) {
        let path = folder + "/" + name
        let temporary = path + ".new"
        let file = try StoredFile(temporary, .create, on: self)
        try file.truncate(to: 0)
        try file.write(at: 0, bytes)
        if isDurable {
            try file.synchronize()
        }
        try rename(temporary, to: path)
        if isDurable {
            try synchronizeDirectory(folder)
        }
    }
}
