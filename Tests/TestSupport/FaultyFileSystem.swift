// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import Synchronization
import SystemIO

/// The host's file system with faults: calls that fail, hang, or are the process's last.
public final class FaultyFileSystem: FileSystem {
    /// The effect of calls that change something.
    public enum Mode: Sendable {
        /// They succeed.
        case healthy
        /// They fail with this errno; a write stores half of its bytes first.
        case failing(Int32)
        /// They succeed, but for syncs of the whole file system, which fail with this errno.
        case unsynced(Int32)
        /// They succeed, but for syncs of the whole file system, which wait until the mode changes.
        case unendingSync
        /// They wait until the mode changes.
        case hanging
    }

    private let real = LinuxFileSystem()
    private let mode = Mutex(Mode.healthy)
    private let calls = Atomic<Int>(0)
    private let fatalCall: Int?
    private let folders = Mutex<[String]>([])
    private let refusal = Mutex<(folder: String, left: Int)?>(nil)

    private let forbidden = Mutex<Set<String>>([])

    /// From now on these files and folders cannot be read for lack of permission.
    public func forbid(_ paths: Set<String>) {
        forbidden.withLock { $0 = paths }
    }

    private func checkPermission(_ name: String, _ path: String) throws(SystemError) {
        if forbidden.withLock({ $0.contains(path) }) {
            throw SystemError(name, path, code: EACCES)
        }
    }

    /// The folders that were made, in order.
    public var madeFolders: [String] { folders.withLock { $0 } }

    /// A file system without faults; at the `fatalCall`th changing call, counted from 1, the process kills itself in
    /// the middle of the call.
    public init(fatalCall: Int? = nil) {
        self.fatalCall = fatalCall
    }

    public func set(_ new: Mode) {
        mode.withLock { $0 = new }
    }

    /// Has files in folders of that name created no more after the next `count`; nil: without a limit again.
    public func refuseFiles(in folder: String, after count: Int?) {
        refusal.withLock { $0 = count.map { (folder, $0) } }
    }

    /// Whether the creation of `path` is refused.
    private func refuses(_ path: String) -> Bool {
        refusal.withLock { refusal in
            guard let (folder, left) = refusal, path.contains("/\(folder)/") else {
                return false
            }
            refusal = (folder, max(0, left - 1))
            return left == 0
        }
    }

    private func change(_ name: String, _ halfway: () -> Void = {}) throws(SystemError) {
        let number = calls.wrappingAdd(1, ordering: .relaxed).newValue
        if number == fatalCall {
            halfway()
            kill(getpid(), SIGKILL)
        }
        while true {
            switch mode.withLock({ $0 }) {
            case .healthy:
                return
            case .unsynced(let code):
                guard name == "syncfs" else {
                    return
                }
                throw SystemError(name, code: code)
            case .unendingSync:
                guard name == "syncfs" else {
                    return
                }
                usleep(1000)
            case .failing(let code):
                halfway()
                throw SystemError(name, code: code)
            case .hanging:
                usleep(1000)
            }
        }
    }

    public func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> FileID {
        if mode == .create, real.status(path) == nil {
            try change("open")
            if refuses(path) {
                throw SystemError("open", path, code: EIO)
            }
        }
        try checkPermission("open", path)
        return try real.open(path, mode)
    }

    public func close(_ file: FileID) { real.close(file) }

    public func read(_ file: FileID, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError)
        -> Int
    {
        try real.read(file, at: offset, into: buffer)
    }

    public func write(_ file: FileID, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        try change("write") {
            let half = UnsafeRawBufferPointer(rebasing: bytes[..<(bytes.count / 2)])
            if !half.isEmpty {
                _ = try? real.write(file, at: offset, half)
            }
        }
        return try real.write(file, at: offset, bytes)
    }

    public func truncate(_ file: FileID, to size: Int) throws(SystemError) {
        // A partial write can be cut even on a full disk.
        if case .failing(ENOSPC) = mode.withLock({ $0 }) {
            try real.truncate(file, to: size)
            return
        }
        try change("truncate")
        try real.truncate(file, to: size)
    }

    public func size(_ file: FileID) throws(SystemError) -> Int { try real.size(file) }

    public func synchronize(_ file: FileID) throws(SystemError) {
        try change("fdatasync")
        try real.synchronize(file)
    }

    public func synchronizeAll(_ file: FileID) throws(SystemError) {
        try change("syncfs")
    }

    public func synchronizeDirectory(_ path: String) throws(SystemError) {
        try change("fsync")
        try real.synchronizeDirectory(path)
    }

    public func setModified(_ path: String, _ microseconds: Int64) throws(SystemError) {
        try change("utimensat")
        try real.setModified(path, microseconds)
    }

    public func tryLock(_ file: FileID, isShared: Bool) -> Bool { real.tryLock(file, isShared: isShared) }

    public func tryLock(_ file: FileID, number: Int64, isShared: Bool) -> Bool {
        real.tryLock(file, number: number, isShared: isShared)
    }

    public func unlock(_ file: FileID, number: Int64) { real.unlock(file, number: number) }

    public func unlock(_ file: FileID) { real.unlock(file) }

    public func isLocked(_ file: FileID, number: Int64) -> Bool { real.isLocked(file, number: number) }

    public func isLocked(_ file: FileID) -> Bool { real.isLocked(file) }

    public func allocate(_ file: FileID, _ size: Int) throws(SystemError) {
        try change("fallocate")
        try real.allocate(file, size)
    }

    public func space(at path: String) -> FileSystemSpace? { real.space(at: path) }

    public func makeDirectory(_ path: String) throws(SystemError) {
        try change("mkdir")
        try real.makeDirectory(path)
        folders.withLock { $0.append(path) }
    }

    public func names(in directory: String) throws(SystemError) -> [String] {
        try checkPermission("open", directory)
        return try real.names(in: directory)
    }

    public func rename(_ path: String, to target: String) throws(SystemError) {
        try change("rename")
        try real.rename(path, to: target)
    }

    public func remove(_ path: String) throws(SystemError) {
        try change("unlink")
        try real.remove(path)
    }

    public func removeDirectory(_ path: String) throws(SystemError) {
        try change("rmdir")
        try real.removeDirectory(path)
    }

    public func status(_ path: String) -> FileAttributes? { real.status(path) }
}
