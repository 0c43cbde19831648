// SPDX-License-Identifier: Apache-2.0

import CLinux

/// What the kernel reports of a connection's other end (sock_diag(7)).
public enum SocketDiagnostics {
    /// Whether the process at the other end of `socket` has accepted the connection; nil when that is unknown.
    ///
    /// connect(2) succeeds before: the connection waits in the listener's backlog, for as long as that serves another
    /// client. Unknown for a process on another host, and where the kernel does not offer sock_diag.
    public static func isAccepted(_ socket: Int32) -> Bool? {
        switch gl_is_accepted(socket) {
        case 0: false
        case 1: true
        default: nil
        }
    }
}
