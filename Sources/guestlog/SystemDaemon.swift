// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The host's own daemon, which the package installs.
enum SystemDaemon {
    private static let runtime = "/run/guestlog"
    private static let store = "/var/lib/guestlog"
    private static let folders = [runtime, store]

    /// What a user other than root is to know of a store in `root` on a host with the system's daemon; nil for that one's.
    static func note(on root: String) -> String? {
        guard geteuid() != 0, root != store, FileAttributes(at: runtime).map({ $0.owner != geteuid() }) ?? false else {
            return nil
        }
        return "this is the store \(Terminal.safe(root)); the system's daemon has another: use sudo, or join the group "
            + "guestlog"
    }

    /// Throws where a user other than root is about to start a daemon with the configuration of the system's daemon, because
    /// none was named: the consoles there have one reader, and the second daemon would be that of some.
    static func refuseSecond(_ paths: PathOptions) throws {
        let named = ["GUESTLOG_CONFIG", "GUESTLOG_STORE", "STATE_DIRECTORY"].contains { Environment[$0] != nil }
        guard geteuid() != 0, !named, paths.config == nil, paths.store == nil, let file = paths.configurationFile,
            let folder = folders.first(where: { FileAttributes(at: $0).map { $0.owner != geteuid() } ?? false })
        else {
            return
        }
        throw CommandLineError(
            description: "\(file) is the configuration of the system's daemon, which has the folder \(folder): a "
                + "second daemon would take consoles away from it; use that daemon, with sudo or as a member of the "
                + "group guestlog, or name a configuration with --config"
        )
    }
}
