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

extension LogManagerState {
    /// Reads the state that the previous image has left at `path` for this process, and removes it. That of another
    /// process is removed when the process has ended: a later one with its number must not take it.
    init?(leftAt path: String) {
        let limit = LinuxFileSystem.tableLimit
        guard let text = try? LinuxFileSystem().contents(of: path, limit: limit) else {
            return nil
        }
        if let process = Self.process(in: text), process == getpid() || (kill(process, 0) != 0 && errno == ESRCH) {
            unlink(path)
        }
        self.init(text, of: getpid())
    }

    /// Writes the state for the next image to `path`.
    func write(to path: String) throws(SystemError) {
        unlink(path)
        let file = try StoredFile(path, .create, on: LinuxFileSystem())
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
        guard file.lock() else {
            throw SystemError("lock", path, code: SystemError.wouldBlock, reason: "another log daemon runs")
        }
        try file.truncate(to: 0)
        try file.write(at: 0, Array("\(getpid())\n".utf8))
    }

    func remove() {
        unlink(path)
    }
}
