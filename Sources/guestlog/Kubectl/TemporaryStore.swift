// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import SystemIO

/// A store for the time of one command, which its user alone can read. It is removed when the command ends, by a signal
/// too; one that remains after a crash is removed by the next command.
final class TemporaryStore {
    let store: Store
    private let path: String
    /// Locked until this process ends: a store whose process lives is not abandoned.
    private let lock: StoredFile

    private static let prefix = "guestlog-kubectl-"
    private static let lockName = "/lock"

    /// Makes the store in `TMPDIR`, else `/tmp`. To be called before there are other threads: signals that end the
    /// process remove it.
    init() throws(SystemError) {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        Self.removeAbandoned(in: parent)
        var template = Array((parent + "/" + Self.prefix + "XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw SystemError("mkdtemp", parent)
        }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.path = path
        let fileSystem = LinuxFileSystem()
        lock = try StoredFile(path + Self.lockName, .create, on: fileSystem)
        _ = lock.tryLock()
        store = Store(root: path + "/store", fileSystem: fileSystem)
        try fileSystem.makeDirectory(store.root)
        try Self.removeOnSignal(path)
    }

    /// Removes the store.
    func remove() {
        Self.remove(path)
    }

    private static func removeOnSignal(_ path: String) throws(SystemError) {
        // Blocked here, and in all threads that start later, but not in the one that waits.
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in [SIGINT, SIGTERM, SIGHUP] {
            sigaddset(&signals, number)
        }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        let awaited = signals
        _ = try WorkerThread(name: "signals") {
            var awaited = awaited
            var number: Int32 = 0
            while sigwait(&awaited, &number) != 0 {}
            // Nothing can be added to it any more by its old name.
            let removed = path + "-removed"
            rename(path, removed)
            remove(removed)
            _exit(128 + number)
        }
    }

    private static func removeAbandoned(in parent: String) {
        let fileSystem = LinuxFileSystem()
        for name in (try? fileSystem.names(in: parent)) ?? [] where name.hasPrefix(prefix) {
            let path = parent + "/" + name
            if let lock = try? StoredFile(path + lockName, .update, on: fileSystem), lock.tryLock() {
                remove(path)
            }
        }
    }

    private static func remove(_ path: String) {
        let fileSystem = LinuxFileSystem()
        for name in (try? fileSystem.names(in: path)) ?? [] {
            let entry = path + "/" + name
            if fileSystem.status(entry)?.isDirectory == true {
                remove(entry)
            } else {
                try? fileSystem.remove(entry)
            }
        }
        try? fileSystem.removeDirectory(path)
    }
}
