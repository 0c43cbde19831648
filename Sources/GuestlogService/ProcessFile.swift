// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The file with the daemon's process id, locked while the daemon runs.
final class ProcessFile {
    private let path: String
    private let file: StoredFile

    /// Throws when another process holds the lock after `milliseconds`.
    init(_ path: String, within milliseconds: Int = StoredFile.lockWait) throws(SystemError) {
        self.path = path
        guard let file = try StoredFile.locked(at: path, within: milliseconds) else {
            throw SystemError("lock", path, code: SystemError.wouldBlock, reason: "another log daemon runs")
        }
        self.file = file
        try file.truncate(to: 0)
        try file.write(at: 0, Array("\(getpid())\n".utf8))
    }

    func remove() {
        unlink(path)
    }
}
