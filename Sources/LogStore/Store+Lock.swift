// SPDX-License-Identifier: Apache-2.0

import SystemIO

extension Store {
    /// Whether a process writes the VM now; true when that is unknown.
    public func isWritten(_ vm: VM) -> Bool {
        let path = VMLock.path(in: self.path(of: vm.directory))
        guard fileSystem.status(path) != nil else {
            return false
        }
        do throws(SystemError) {
            return VMLock.isHeld(try StoredFile(path, .read, on: fileSystem))
        } catch {
            return !error.isDamagedFile
        }
    }
}
