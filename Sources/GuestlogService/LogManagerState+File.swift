// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import VirtLogManager

// The state as a file, between two images of the log daemon.
extension LogManagerState {
    /// Reads the state that the previous image has left at `path` for this process, and removes it. That of another
    /// process is removed when the process has ended: a later one with its number must not take it.
    init?(leftAt path: String) {
        let limit = LinuxFileSystem.tableLimit
        guard let text = try? LinuxFileSystem().contents(of: path, limit: limit) else {
            return nil
        }
        if let process = Self.process(in: text), process == getpid() || (kill(process, 0) != 0 && errno == ESRCH) {
            unlink(path)
        }
        self.init(text, of: getpid())
    }

    /// Whether the previous image of this process has left its state at `path`.
    static func isLeft(at path: String) -> Bool {
        let text = try? LinuxFileSystem().contents(of: path, limit: LinuxFileSystem.tableLimit)
        return text.flatMap { process(in: $0) } == getpid()
    }

    /// Writes the state for the next image to `path`.
    func write(to path: String) throws(SystemError) {
        unlink(path)
        let file = try StoredFile(path, .create, on: LinuxFileSystem())
        try file.write(at: 0, text(for: getpid()))
    }
}
