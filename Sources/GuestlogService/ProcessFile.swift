// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The file with the daemon's process id, locked while the daemon runs.
final class ProcessFile {
    private let path: String
    private let file: StoredFile

    /// Throws when another process holds the lock.
    init(_ path: String) throws(SystemError) {
        self.path = path
        file = try StoredFile(path, .create, on: LinuxFileSystem())
        guard file.lock() else {
            throw SystemError("lock", path, code: SystemError.wouldBlock, reason: "another log daemon runs")
        }
        try file.truncate(to: 0)
        try file.write(at: 0, Array("\(getpid())\n".utf8))
    }

    func remove() {
        unlink(path)
    }
}
