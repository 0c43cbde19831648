// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The folder of the positions, locked: two agents would both send what the sources have, and overwrite each other's
/// positions.
final class StateFolder {
    private let lock: StoredFile

    /// Creates the folder if it is missing, and locks it. Throws when that fails, with EWOULDBLOCK when another agent has
    /// the lock.
    init(at path: String) throws(SystemError) {
        try LinuxFileSystem().makeDirectories(path)
        guard let lock = try StoredFile.locked(at: path + "/lock") else {
            throw SystemError(
                "lock",
                path,
                code: EWOULDBLOCK,
                reason: "another guestlog-agent uses this folder; stop it, or use another folder with --state"
            )
        }
        self.lock = lock
    }

    /// Says that positions are not written, and what that means.
    static func warning(_ error: SystemError) -> String {
        "cannot write positions, so an agent that is started again sends this boot's records again: \(error)"
    }
}
