// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import Synchronization
import SystemIO

/// A store for the time of one command, which its user alone can read. It is removed when the command ends, by a signal
/// or with its reader too; one that remains after a crash is removed by the next command.
final class TemporaryStore {
    let store: Store
    private let path: String
    /// Locked until this process ends: a store whose process lives is not abandoned.
    private let lock: StoredFile

    private static let prefix = "guestlog-kubectl-"
    private static let lockName = "lock"

    /// Makes the store in `TMPDIR`, else `/tmp`. Signals that end the process remove it.
    init() throws(SystemError) {
        let parent = Environment["TMPDIR"] ?? "/tmp"
        try Self.removeAbandoned(in: DirectoryHandle(parent))
        var template = Array((parent + "/" + Self.prefix + "XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw SystemError("mkdtemp", parent)
        }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.path = path
        let fileSystem = LinuxFileSystem()
        lock = try StoredFile(path + "/" + Self.lockName, .create, on: fileSystem)
        _ = lock.tryLock()
        store = Store(root: path + "/store", fileSystem: fileSystem)
        try fileSystem.makeDirectory(store.root)
        try Self.removeOnSignal(path)
    }

    /// Held while the store is removed, until the process ends where that ends it: the second caller does not end the
    /// process before everything is removed.
    private static let removal = Mutex(())

    /// Removes the store.
    func remove() {
        Self.removal.withLock { _ in Self.remove(path) }
    }

    /// Ends the process with success as soon as the store is removed.
    @Sendable static func removeAndExit() {
        passOn(0)
    }

    /// Has the signals that end a process remove the store first.
    ///
    /// They are passed on by a handler: blocking them for a thread that waits is not enough, because Swift's main thread
    /// waits with all signals unblocked.
    private static func removeOnSignal(_ path: String) throws(SystemError) {
        let ends = try Descriptor.pipe()
        // Open until the process ends.
        let received = try ends.first.duplicate().release()
        signalDescriptor.store(try ends.second.duplicate().release(), ordering: .relaxed)
        for number in [SIGINT, SIGTERM, SIGHUP] {
            signal(number, passOn)
        }
        _ = try WorkerThread(name: "signals") {
            var number: UInt8 = 0
            while read(received, &number, 1) != 1 {}
            removal.withLock { _ in
                // Nothing can be added to it any more by its old name.
                let removed = path + "-removed"
                rename(path, removed)
                remove(removed)
                _exit(number == 0 ? 0 : 128 + Int32(number))
            }
        }
    }

    /// Removes the stores of this user's commands that have ended. In a folder like `/tmp` others may make entries of any
    /// name.
    private static func removeAbandoned(in parent: borrowing DirectoryHandle) {
        for name in (try? parent.names()) ?? [] where name.hasPrefix(prefix) {
            guard let folder = try? parent.directory(name), (try? isOwn(folder)) == true,
                let lock = try? folder.openRegular(lockName, O_RDWR), flock(lock.raw, LOCK_EX | LOCK_NB) == 0
            else {
                continue
            }
            try? parent.removeTree(name)
        }
    }

    /// Whether no other user can have made or changed it.
    private static func isOwn(_ folder: borrowing DirectoryHandle) throws(SystemError) -> Bool {
        let attributes = try folder.attributes()
        return attributes.owner == geteuid() && attributes.permissions & 0o022 == 0
    }

    private static func remove(_ path: String) {
        let (parent, name) = DirectoryHandle.split(path)
        try? DirectoryHandle(parent).removeTree(name)
    }
}

/// Where the signal handler writes the number of a signal, and 0 is written to end with success; -1 before there is a
/// store.
private let signalDescriptor = Atomic<Int32>(-1)

/// The signal handler.
private func passOn(_ number: Int32) {
    var byte = UInt8(truncatingIfNeeded: number)
    _ = write(signalDescriptor.load(ordering: .relaxed), &byte, 1)
}
