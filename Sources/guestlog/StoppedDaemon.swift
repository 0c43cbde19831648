// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

// Whether the daemon of the store runs.
extension LogSource {
    /// Whether there is a socket at `path`, and no process listens at it.
    static func isStale(_ path: String) -> Bool {
        do throws(SystemError) {
            _ = try UnixSocket.connect(to: path)
            return false
        } catch {
            return error.code == ECONNREFUSED
        }
    }

    /// Reports that the store's daemon does not run; returns whether it did.
    @discardableResult
    func reportStoppedDaemon() -> Bool {
        guard let staleSocket else {
            return false
        }
        Output.error(
            "no daemon answers at \(Terminal.safe(staleSocket)): it captures nothing now; start it, or see 'systemctl status "
                + "guestlog'"
        )
        return true
    }
}
