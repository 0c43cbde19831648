// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The host's own daemon, which the package installs.
enum SystemDaemon {
    private static let folders = ["/run/guestlog", "/var/lib/guestlog"]

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
