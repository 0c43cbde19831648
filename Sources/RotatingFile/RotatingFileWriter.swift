// SPDX-License-Identifier: Apache-2.0

import CBytes
import Glibc
import LogModel
import SystemIO

/// The maximum size of a plain file and the number of backups: virtlogd's `max_size` and `max_backups`.
public struct RotationLimits: Hashable, Sendable {
    /// Maximum size of a file, in bytes; 0: never rotated.
    public var size: Int
    /// Number of backups: each rotation renames all of them.
    public var backups: Int

    /// virtlogd's defaults: 2 MiB and 3 backups.
    public static let `default` = RotationLimits(size: 2 << 20, backups: 3)

    /// The largest number of backups allowed.
    public static let maximumBackups = 1000

    public init(size: Int, backups: Int) {
        self.size = size
        self.backups = backups
    }
}

/// Appends to a plain file that never exceeds its limit: at the end of a line near it, the file becomes PATH.0 and a
/// new one is begun. Owned by one thread.
///
/// A file is cut at the end of a line if there is one in its last `lineWindow` bytes, so that the files have whole
/// lines; otherwise it is filled to the last byte.
///
/// Other programs may remove, rename or truncate the file: within `checkInterval` the writer notices, and continues in a
/// new file at the path, or at the end of what is left.
public final class RotatingFileWriter {
    public let path: String
    private let trustedFolder: String?
    private let limits: RotationLimits
    private let mode: UInt32
    private let clock: any HostClock
    private let closeReplaced: (Int32) -> Void
    private var file: Int32 = -1
    private var identity = FileIdentity(device: 0, inode: 0)
    /// The size of the live file.
    private var position = 0
    /// When the file at the path is compared with the open one again; monotonic microseconds.
    private var nextCheck: Int64 = 0
    /// Whether the next byte begins a new file. The rotation waits for that byte, so that the live file can be read
    /// until then.
    private var isFull = false

    /// The distance from the limit within which the end of a line triggers the rotation.
    static let lineWindow = 4096
    /// A file is compared with the one at its path no more often than this, in microseconds.
    static let checkInterval: Int64 = 1_000_000

    /// A writer to `path`, which is created with permissions `mode` when absent and continued when it exists. Invalid
    /// limits are replaced by the nearest valid ones. Links are followed in `trustedFolder`, a prefix of the path, and
    /// refused below it; with nil they are followed except for the file itself.
    ///
    /// A rotation passes the oldest backup, which it replaces, to `closeReplaced` as a descriptor: closing it frees the
    /// file's pages, which takes long enough to be done by another thread.
    public init(
        path: String,
        trustedFolder: String? = nil,
        limits: RotationLimits = .default,
        mode: UInt32 = 0o600,
        clock: any HostClock = SystemClock(),
        closeReplaced: @escaping (Int32) -> Void = { close($0) }
    ) {
        self.closeReplaced = closeReplaced
        self.path = path
        self.trustedFolder = trustedFolder
        self.limits = RotationLimits(
            size: max(0, limits.size),
            backups: min(max(0, limits.backups), RotationLimits.maximumBackups)
        )
        self.mode = mode
        self.clock = clock
    }

    deinit {
        closeFile()
    }

    private func closeFile() {
        if file >= 0 {
            close(file)
            file = -1
        }
    }

    /// Appends all of `bytes`, rotating as often as needed. After an error the file is reopened at the next call.
    ///
    /// `willWrite` is called before each write with what is there by then: a process that is killed in the write can
    /// leave that for the next one, which finds out with `AppendProgress.written(in:)` how many of the bytes are in the file.
    public func append(
        _ bytes: UnsafeRawBufferPointer,
        willWrite: (AppendProgress) -> Void = { _ in }
    ) throws(SystemError) {
        var rest = bytes
        do throws(SystemError) {
            try check()
            while !rest.isEmpty {
                if isFull {
                    // Another program's file must not be renamed.
                    nextCheck = 0
                    try check()
                }
                if isFull {
                    try FileOwner.asProcess(rotate)
                }
                if file < 0 {
                    try FileOwner.asProcess(openFile)
                }
                let piece = piece(of: rest)
                willWrite(AppendProgress(file: identity, size: position, written: bytes.count - rest.count))
                try write(UnsafeRawBufferPointer(rebasing: rest[..<piece.count]))
                rest = UnsafeRawBufferPointer(rebasing: rest[piece.count...])
                isFull = piece.endsFile
            }
        } catch {
            closeFile()
            throw error
        }
    }

    /// How much of `rest` fits into the live file, and whether that fills it.
    private func piece(of rest: UnsafeRawBufferPointer) -> (count: Int, endsFile: Bool) {
        let windowStart = limits.size - min(Self.lineWindow, limits.size / 2)
        guard limits.size > 0, position + rest.count >= windowStart else {
            return (rest.count, false)
        }
        let room = max(0, limits.size - position)
        let fitting = min(rest.count, room)
        if let feed = gl_memrchr(rest.baseAddress, Int32(Lines.feed), fitting) {
            let count = feed - rest.baseAddress! + 1
            if position + count >= windowStart {
                return (count, true)
            }
        }
        return (fitting, fitting == room)
    }

    /// Opens the file at the path if another program has replaced or removed the open one; it is created when absent.
    /// Does nothing before the first `append`.
    public func reopen() throws(SystemError) {
        guard file >= 0 else {
            return
        }
        nextCheck = 0
        do throws(SystemError) {
            try check()
            if file < 0 {
                try FileOwner.asProcess(openFile)
            }
        } catch {
            closeFile()
            throw error
        }
    }

    /// Closes a file that is not at its path any more, and notes the size of one that was truncated.
    private func check() throws(SystemError) {
        let now = clock.monotonicMicroseconds()
        guard file >= 0, now >= nextCheck else {
            return
        }
        nextCheck = now + Self.checkInterval
        let open = try FileAttributes(of: file, path)
        let current = FileOwner.asProcess { FileAttributes(at: path) }
        if current?.identity != open.identity {
            closeFile()
            isFull = false
        } else if position != open.size {
            position = open.size
            isFull = false
        }
    }

    private func openFile() throws(SystemError) {
        let (parent, name) = DirectoryHandle.split(path)
        let folder = try DirectoryHandle(parent, trusted: trustedFolder)
        nextCheck = clock.monotonicMicroseconds() + Self.checkInterval
        file = try folder.openRegular(name, O_WRONLY | O_CREAT | O_APPEND, mode: mode).release()
        let attributes = try FileAttributes(of: file, path)
        (identity, position) = (attributes.identity, attributes.size)
        if limits.size > 0, position >= limits.size {
            try rotate()
            try openFile()
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            let count = try systemCall("write", path) {
                Glibc.write(file, bytes.baseAddress! + done, bytes.count - done)
            }
            done += count
            position += count
        }
    }

    /// PATH.(n-1) → PATH.n from the oldest end, then PATH → PATH.0; a missing backup is skipped.
    private func rotate() throws(SystemError) {
        closeFile()
        let (parent, name) = DirectoryHandle.split(path)
        let folder = try DirectoryHandle(parent, trusted: trustedFolder)
        let replaced = limits.backups == 0 ? name : "\(name).\(limits.backups - 1)"
        // Held open over the rotation.
        let oldest = try? folder.openRegular(replaced, O_RDONLY).release()
        defer { oldest.map(closeReplaced) }
        do throws(SystemError) {
            if limits.backups == 0 {
                try folder.remove(name)
            }
        } catch  where error.code == ENOENT {}
        for number in stride(from: limits.backups - 1, through: 0, by: -1) {
            let source = number == 0 ? name : "\(name).\(number - 1)"
            do throws(SystemError) {
                try folder.rename(source, to: "\(name).\(number)")
            } catch  where error.code == ENOENT {}
        }
        position = 0
        isFull = false
    }
}
