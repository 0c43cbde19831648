// SPDX-License-Identifier: Apache-2.0

import Glibc

/// An open file with one owner, closed when the owner is deinitialized. Its errors name the file.
public final class StoredFile {
    /// Its path when it was opened.
    public let path: String
    private let fileSystem: any FileSystem
    private let file: FileID
    private var mayBeLocked = false

    public init(_ path: String, _ mode: OpenMode, on fileSystem: any FileSystem) throws(SystemError) {
        file = try fileSystem.open(path, mode)
        self.fileSystem = fileSystem
        self.path = path
    }

    /// The file at `path`, created if it is missing, with its lock, for which it waits as `lock` does; nil when another
    /// open file has the lock.
    public static func locked(at path: String, within milliseconds: Int = 0) throws(SystemError) -> StoredFile? {
        while true {
            let file = try StoredFile(path, .create, on: LinuxFileSystem())
            guard file.lock(within: milliseconds) else {
                return nil
            }
            // Its last holder may have removed it before it was locked.
            if try FileAttributes(of: file.file.number, path).identity == FileAttributes(at: path)?.identity {
                return file
            }
        }
    }

    deinit {
        // A child that another thread has begun to start has a copy of the descriptor until its exec, and would hold the
        // locks as long.
        if mayBeLocked {
            fileSystem.unlock(file)
        }
        fileSystem.close(file)
    }

    private func named<Result>(_ body: () throws(SystemError) -> Result) throws(SystemError) -> Result {
        do throws(SystemError) {
            return try body()
        } catch {
            throw error.subject.isEmpty ? error.of(path) : error
        }
    }

    public var size: Int {
        get throws(SystemError) {
            try named { () throws(SystemError) in try fileSystem.size(file) }
        }
    }

    /// Fills `buffer` from `offset` on; returns less than its size only at the end of the file.
    public func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let nextOffset = offset + done
            let count = try named { () throws(SystemError) in try fileSystem.read(file, at: nextOffset, into: rest) }
            if count == 0 {
                break
            }
            done += count
        }
        return done
    }

    public func read(at offset: Int, count: Int) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            do throws(SystemError) {
                initialized = try read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
            } catch {
                failure = error
            }
        }
        if let failure {
            throw failure
        }
        return bytes
    }

    public func write(at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let nextOffset = offset + done
            done += try named { () throws(SystemError) in try fileSystem.write(file, at: nextOffset, rest) }
        }
    }

    public func write(at offset: Int, _ bytes: [UInt8]) throws(SystemError) {
        try bytes.span.withUnsafeBytes { buffer throws(SystemError) in
            try write(at: offset, buffer)
        }
    }

    public func truncate(to size: Int) throws(SystemError) {
        try named { () throws(SystemError) in try fileSystem.truncate(file, to: size) }
    }

    public func synchronize() throws(SystemError) {
        try named { () throws(SystemError) in try fileSystem.synchronize(file) }
    }

    /// Syncs everything on the file's file system.
    public func synchronizeAll() throws(SystemError) {
        try named { () throws(SystemError) in try fileSystem.synchronizeAll(file) }
    }

    /// Allocates disk space for the file.
    public func allocate(_ size: Int) throws(SystemError) {
        try named { () throws(SystemError) in try fileSystem.allocate(file, size) }
    }

    /// Takes the file's lock, if it is free.
    public func tryLock(isShared: Bool = false) -> Bool {
        mayBeLocked = true
        return fileSystem.tryLock(file, isShared: isShared)
    }

    /// How long the lock of a file that was closed is waited for by default, in milliseconds.
    public static let lockWait = 200

    /// Takes the file's lock, and waits for it for `milliseconds` at most; returns whether it has it.
    ///
    /// The lock of a process that was killed can be held for a moment by a child that it had begun to start: the child has a
    /// copy of the descriptor until its exec.
    public func lock(isShared: Bool = false, within milliseconds: Int = lockWait) -> Bool {
        Self.retry(milliseconds) { tryLock(isShared: isShared) }
    }

    /// Whether another open file holds the exclusive lock.
    public var isLocked: Bool { fileSystem.isLocked(file) }

    /// Takes one of the file's numbered locks, if it is free.
    public func tryLock(number: Int64, isShared: Bool = false) -> Bool {
        mayBeLocked = true
        return fileSystem.tryLock(file, number: number, isShared: isShared)
    }

    /// Takes one of the file's numbered locks, and waits for it for `milliseconds` at most; returns whether it has it.
    public func lock(number: Int64, within milliseconds: Int) -> Bool {
        Self.retry(milliseconds) { tryLock(number: number) }
    }

    /// Calls `attempt` each millisecond until it succeeds, `milliseconds` at most. (A blocking lock has no deadline.)
    private static func retry(_ milliseconds: Int, _ attempt: () -> Bool) -> Bool {
        for _ in 0..<milliseconds {
            if attempt() {
                return true
            }
            WorkerThread.pause(microseconds: 1000)
        }
        return attempt()
    }

    /// Releases a numbered lock.
    public func unlock(number: Int64) {
        fileSystem.unlock(file, number: number)
    }

    /// Whether another open file holds the numbered lock, shared or not.
    public func isLocked(number: Int64) -> Bool {
        fileSystem.isLocked(file, number: number)
    }
}
