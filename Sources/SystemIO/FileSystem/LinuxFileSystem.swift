// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// The host's file system. What root creates belongs to the owner of the folder that it is created in.
public struct LinuxFileSystem: FileSystem {
    /// Permissions of new files: 0640, so that the group of log readers can read.
    static let fileMode: mode_t = 0o640
    static let directoryMode: mode_t = 0o750

    public init() {}

    public func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> FileID {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .update: O_RDWR
            case .create: O_RDWR | O_CREAT
            }
        // Non-blocking: a pipe in a file's place would block until it has a writer.
        let call = { () throws(SystemError) -> Int32 in
            try systemCall("open", path) {
                gl_open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, Self.fileMode)
            }
        }
        let number: Int32
        do throws(SystemError) {
            number = try mode == .create ? FileOwner.create(at: path, call) : call()
        } catch {
            throw Self.explained(error, at: path)
        }
        if let kind = (try? FileAttributes(of: number, path))?.kind, kind != .regular {
            Glibc.close(number)
            throw SystemError("open", path, code: kind == .directory ? EISDIR : ENXIO)
        }
        return FileID(number: number)
    }

    public func close(_ file: FileID) {
        _ = Glibc.close(file.number)
    }

    public func read(
        _ file: FileID,
        at offset: Int,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> Int {
        try systemCall("read") { pread(file.number, buffer.baseAddress, buffer.count, offset) }
    }

    public func write(_ file: FileID, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        let count = try systemCall("write") { pwrite(file.number, bytes.baseAddress, bytes.count, offset) }
        guard count > 0 || bytes.isEmpty else {
            throw SystemError("write", code: ENOSPC)
        }
        return count
    }

    public func truncate(_ file: FileID, to size: Int) throws(SystemError) {
        try systemCall("truncate") { ftruncate(file.number, size) }
    }

    public func size(_ file: FileID) throws(SystemError) -> Int {
        try FileAttributes(of: file.number).size
    }

    public func synchronize(_ file: FileID) throws(SystemError) {
        try systemCall("fdatasync") { fdatasync(file.number) }
    }

    public func synchronizeDirectory(_ path: String) throws(SystemError) {
        let folder = Descriptor(
            owning: try systemCall("open", path) { gl_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }
        )
        let number = folder.raw
        try systemCall("fsync", path) { fsync(number) }
    }

    public func synchronizeAll(_ file: FileID) throws(SystemError) {
        try systemCall("syncfs") { gl_syncfs(file.number) }
    }

    public func setModified(_ path: String, _ microseconds: Int64) throws(SystemError) {
        let seconds = microseconds / 1_000_000
        let time = timespec(tv_sec: Int(seconds), tv_nsec: Int((microseconds - seconds * 1_000_000) * 1000))
        let times = [time, time]
        try systemCall("utimensat", path) { utimensat(AT_FDCWD, path, times, 0) }
    }

    public func tryLock(_ file: FileID, isShared: Bool) -> Bool {
        gl_try_lock(file.number, isShared) == 0
    }

    public func isLocked(_ file: FileID) -> Bool {
        gl_is_locked(file.number)
    }

    public func tryLock(_ file: FileID, number: Int64, isShared: Bool) -> Bool {
        gl_try_numbered_lock(file.number, off_t(number), isShared)
    }

    public func unlock(_ file: FileID, number: Int64) {
        gl_numbered_unlock(file.number, off_t(number))
    }

    public func unlock(_ file: FileID) {
        gl_unlock(file.number)
    }

    public func isLocked(_ file: FileID, number: Int64) -> Bool {
        gl_is_numbered_lock_held(file.number, off_t(number))
    }

    public func allocate(_ file: FileID, _ size: Int) throws(SystemError) {
        let code = gl_allocate(file.number, 0, size)
        if code != 0 {
            throw SystemError("fallocate", code: code)
        }
    }

    public func space(at path: String) -> FileSystemSpace? {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else {
            return nil
        }
        return FileSystemSpace(
            size: Int(clamping: status.f_blocks) * Int(clamping: status.f_frsize),
            free: Int(clamping: status.f_bavail) * Int(clamping: status.f_frsize)
        )
    }

    public func makeDirectory(_ path: String) throws(SystemError) {
        do throws(SystemError) {
            try FileOwner.create(at: path) { () throws(SystemError) in
                try systemCall("mkdir", path) { mkdir(path, Self.directoryMode) }
            }
        } catch  where error.code != EEXIST {
            throw Self.explained(error, at: path)
        } catch {}
    }

    /// `error`, with the remedy where a file of another user is in a folder of this one: a command of another user has
    /// left it there.
    private static func explained(_ error: SystemError, at path: String) -> SystemError {
        var (inner, folder) = (path, DirectoryHandle.split(path).directory)
        while error.code == EACCES, folder != inner {
            if let file = FileAttributes(at: inner), let owner = FileAttributes(at: folder)?.owner,
                owner == gl_file_user(), owner != 0, file.owner != owner
            {
                let reason =
                    "\(error.reason): \(inner) belongs to user \(file.owner), its folder to user \(owner); "
                    + "'chown -R --reference=\(folder) \(file.isDirectory ? inner : folder)' corrects that"
                return SystemError(error.operation, path, code: error.code, reason: reason)
            }
            (inner, folder) = (folder, DirectoryHandle.split(folder).directory)
        }
        return error
    }

    public func names(in directory: String) throws(SystemError) -> [String] {
        guard let stream = opendir(directory) else {
            throw SystemError("open", directory)
        }
        defer { closedir(stream) }
        var names: [String] = []
        try DirectoryEntries.forEachName(in: stream, directory) { names.append(String(decoding: $0, as: UTF8.self)) }
        return names
    }

    public func rename(_ path: String, to target: String) throws(SystemError) {
        try systemCall("rename", path) { Glibc.rename(path, target) }
    }

    public func remove(_ path: String) throws(SystemError) {
        if unlink(path) != 0, errno != ENOENT {
            throw SystemError("remove", path)
        }
    }

    public func removeDirectory(_ path: String) throws(SystemError) {
        if rmdir(path) != 0, errno != ENOENT {
            throw SystemError("rmdir", path)
        }
    }

    public func status(_ path: String) -> FileAttributes? {
        FileAttributes(at: path)
    }
}
