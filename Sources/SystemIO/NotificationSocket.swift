// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The socket on which a service manager receives its service's messages (sd_notify(3)). It has no name in any folder,
/// so that a program that cleans up a runtime folder cannot cut the service off from its manager.
public final class NotificationSocket: Sendable {
    /// Receives the messages; it does not block.
    public let descriptor: Descriptor
    private let file: PathHandle

    /// A socket for this user's processes. For a moment, it has a name in `folder`.
    public init(bindingIn folder: String) throws(SystemError) {
        let path = "\(folder)/notify-\(getpid()).sock"
        descriptor = try UnixSocket.datagrams(at: path)
        defer { unlink(path) }
        file = try PathHandle(path)
    }

    /// The value of `NOTIFY_SOCKET`: leads to the socket as long as this process has it.
    public var address: String { file.sharedPath }
}
