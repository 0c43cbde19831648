// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The default paths.
struct DefaultPaths: Sendable {
    let store: String
    let runtime: String
    let socket: String

    /// Paths from the environment, which take precedence over the configuration file, as command line options do.
    static var named: (store: String?, socket: String?) {
        (Environment["GUESTLOG_STORE"], Environment["GUESTLOG_SOCKET"])
    }

    /// The folders that systemd created for a service; otherwise /var/lib/guestlog and /run/guestlog for root, the XDG
    /// folders for other users. GUESTLOG_STORE and GUESTLOG_SOCKET take precedence.
    init() {
        let home = Environment["HOME"] ?? "/"
        let isRoot = geteuid() == 0
        let data = isRoot ? "/var/lib" : Environment["XDG_DATA_HOME"] ?? home + "/.local/share"
        let run = isRoot ? "/run" : Environment["XDG_RUNTIME_DIR"] ?? home + "/.cache"
        let named = Self.named
        store = named.store ?? Self.folder("STATE_DIRECTORY") ?? data + "/guestlog"
        let folder = Self.folder("RUNTIME_DIRECTORY") ?? run + "/guestlog"
        let path = named.socket ?? folder + "/guestlog.sock"
        socket = path
        runtime = path.contains("/") ? DirectoryHandle.split(path).directory : folder
    }

    /// The first of the folders that systemd created for the service (systemd.exec(5)).
    private static func folder(_ name: String) -> String? {
        Environment[name].flatMap { $0.split(separator: ":").first.map { String($0) } }
    }
}
