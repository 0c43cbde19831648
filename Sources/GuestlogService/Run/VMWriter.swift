// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO

/// The process that writes a VM's log: it holds the lock in the VM's folder.
enum VMWriter {
    /// Throws `ForegroundRun.Busy` when another process writes the log of the VM `name` in the store `root`,
    /// SystemError when that cannot be determined. The lock is released again: opening the VM takes it.
    static func refuse(_ name: String, in root: String) throws {
        let store = Store(root: root)
        var identity = VMIdentity(name: name)
        // A deleted VM's folder is not reused.
        while let earlier = store.vm(in: identity.directoryName), earlier.ended != nil {
            identity.instance += 1
        }
        let path = root + "/" + identity.directoryName + "/lock"
        guard access(path, F_OK) == 0 else {
            return
        }
        let lock = try StoredFile(path, .read, on: LinuxFileSystem())
        if !lock.lock() {
            throw ForegroundRun.Busy(name: name, store: root, process: ProcFile.lockHolder(ofFileAt: path))
        }
    }
}
