// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import SystemIO
import VirtLogManager

/// The paths of libvirt's log daemon: the system's for root, the session's for other users.
struct VirtlogdPaths {
    /// The name under which systemd passes the socket; libvirt's unit sets no other.
    static let socketName = "virtlogd.socket"

    let socket: String
    let processFile: String
    /// The default settings file.
    let settings: String
    /// The state that one image leaves to the next.
    let state: String
    /// The folder for rings and the table of logs.
    let runtime: String

    init(_ options: Virtlogd.Options, runtime: String) {
        func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
        let home = variable("HOME") ?? "/"
        let isRoot = geteuid() == 0
        let session = (variable("XDG_RUNTIME_DIR") ?? home + "/.cache") + "/libvirt"
        let folder = isRoot ? "/run/libvirt" : session
        socket = options.socket ?? folder + "/virtlogd-sock"
        processFile = options.processFile ?? (isRoot ? "/run/virtlogd.pid" : session + "/virtlogd.pid")
        settings =
            (isRoot ? "/etc" : variable("XDG_CONFIG_HOME") ?? home + "/.config") + "/libvirt/virtlogd.conf"
        state = (isRoot ? "/run" : session) + "/virtlogd-restart-exec.json"
        self.runtime = runtime + "/virtlogd"
    }
}

extension LogManagerState {
    /// Reads the state that the previous image has left in this process, and removes it.
    init?(paths: VirtlogdPaths) {
        let limit = LinuxFileSystem.tableLimit
        guard let text = try? LinuxFileSystem().contents(of: paths.state, limit: limit) else {
            return nil
        }
        self.init(text, of: getpid())
        unlink(paths.state)
    }

    /// Writes the state for the next image.
    func write(_ paths: VirtlogdPaths) throws(SystemError) {
        unlink(paths.state)
        let file = try StoredFile(paths.state, .create, on: LinuxFileSystem())
        try file.write(at: 0, text(for: getpid()))
    }
}

/// The file with the daemon's process id, locked while the daemon runs.
final class ProcessFile {
    private let path: String
    private let file: StoredFile

    /// Throws when another process holds the lock.
    init(_ path: String) throws(SystemError) {
        self.path = path
        file = try StoredFile(path, .create, on: LinuxFileSystem())
        guard file.tryLock() else {
            throw SystemError("lock (another log daemon runs)", path, code: SystemError.wouldBlock)
        }
        try file.truncate(to: 0)
        try file.write(at: 0, Array("\(getpid())\n".utf8))
    }

    func remove() {
        unlink(path)
    }
}
