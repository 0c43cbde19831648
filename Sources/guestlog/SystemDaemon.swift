// SPDX-License-Identifier: Apache-2.0

import Glibc
import HTTPAPI
import SystemIO

/// The host's own daemon, which the package installs.
enum SystemDaemon {
    private static let socket = APIClient.Unreachable.systemSocket

    /// What a user who has a store of their own in `root` is to know on a host with the system's daemon; nil where `root`
    /// is the store of another user.
    static func note(on root: String) -> String? {
        guard geteuid() != 0, (try? FileAttributes(following: root))?.owner == geteuid(), isOthers,
            let hint = APIClient.Unreachable.hint(besides: socket)
        else {
            return nil
        }
        return "this is your own store, \(Terminal.safe(root)); \(hint)"
    }

    /// Throws where a user other than root is about to start a daemon beside the system's, which listens, with the usual
    /// configuration, because none was named: the consoles there have one reader, and the second daemon would be that of
    /// some.
    static func refuseSecond(_ paths: PathOptions) throws {
        let named = ["GUESTLOG_CONFIG", "GUESTLOG_STORE", "STATE_DIRECTORY"].contains { Environment[$0] != nil }
        guard geteuid() != 0, !named, paths.config == nil, paths.store == nil, let file = paths.configurationFile,
            isOthers, UnixSocket.isListening(at: socket)
        else {
            return
        }
        throw CommandLineError(
            description: "\(file) is the configuration of the system's daemon, which listens at \(socket): a "
                + "second daemon would take consoles away from it; use that daemon, with sudo or as a member of the "
                + "group guestlog, or name a configuration with --config"
        )
    }

    /// Whether the folder of the system's socket exists, and is not this user's.
    private static var isOthers: Bool {
        FileAttributes(at: DirectoryHandle.split(socket).directory).map { $0.owner != geteuid() } ?? false
    }
}
