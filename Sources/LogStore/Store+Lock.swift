// SPDX-License-Identifier: Apache-2.0

import SystemIO

extension Store {
    /// Whether a process writes the VM now; true when that is unknown.
    public func isWritten(_ vm: VM) -> Bool {
        let path = self.path(of: vm.directory) + "/lock"
        guard fileSystem.status(path) != nil else {
            return false
        }
        do throws(SystemError) {
            return try StoredFile(path, .read, on: fileSystem).isLocked
        } catch {
            return !error.isDamagedFile
        }
    }
}
