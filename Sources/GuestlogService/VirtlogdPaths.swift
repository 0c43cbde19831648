// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The paths of libvirt's log daemon: the system's for root, the session's for other users.
struct VirtlogdPaths {
    /// The name under which systemd passes the socket; libvirt's unit sets no other.
    static let socketName = "virtlogd.socket"

    let socket: String
    let processFile: String
    /// The default settings file.
    let settings: String
    /// The state file that one process image passes to the next.
    let state: String
    /// The folder for rings and the table of logs.
    let runtime: String

    init(_ options: Virtlogd.Options, runtime: String) {
        let home = Environment["HOME"] ?? "/"
        let isRoot = geteuid() == 0
        let session = (Environment["XDG_RUNTIME_DIR"] ?? home + "/.cache") + "/libvirt"
        let folder = isRoot ? "/run/libvirt" : session
        socket = options.socket ?? folder + "/virtlogd-sock"
        processFile = options.processFile ?? (isRoot ? "/run/virtlogd.pid" : session + "/virtlogd.pid")
        settings =
            (isRoot ? "/etc" : Environment["XDG_CONFIG_HOME"] ?? home + "/.config") + "/libvirt/virtlogd.conf"
        state = (isRoot ? "/run" : session) + "/virtlogd-restart-exec.json"
        self.runtime = runtime + "/virtlogd"
    }
}
