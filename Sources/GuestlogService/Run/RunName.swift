// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO

/// The VM name of one `guestlog run`, which no other process uses while it is held.
final class RunName {
    let name: String
    private let path: String
    private let lock: StoredFile

    /// Claims `name` in the store `root`. Throws `ForegroundRun.Busy` when another process writes its log, or another
    /// `guestlog run` is about to.
    init(_ name: String, in root: String, runtime: String) throws {
        self.name = name
        path = runtime + "/" + Self.prefix + VMIdentity(name: name).directoryName
        try DaemonFolders.makeFolder(of: path)
        guard let lock = try StoredFile.locked(at: path) else {
            throw ForegroundRun.Busy(name: name, store: root, process: ProcFile.lockHolder(ofFileAt: path))
        }
        self.lock = lock
        try VMWriter.refuse(name, in: root)
    }

    /// Claims the name of the program in `command` or, when another process uses that, it and this process's number.
    static func claim(like command: [String], in root: String, runtime: String) throws -> RunName {
        let name = ForegroundRun.name(like: command)
        do {
            return try RunName(name, in: root, runtime: runtime)
        } catch is ForegroundRun.Busy {
            return try RunName(name + "-" + String(getpid()), in: root, runtime: runtime)
        }
    }

    deinit {
        unlink(path)
    }

    private static let prefix = "name-"
}
