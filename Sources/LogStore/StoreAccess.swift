// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
public import SystemIO

/// What a user can read of a store.
public enum StoreAccess: Equatable, Sendable {
    /// The folders of all VMs.
    case readable
    /// The folder has other contents, and not the file that each store has.
    case notAStore
    /// These folders cannot be read by this user.
    case unreadable([String])

    /// The access of the process's user to `store`, whose folder can be read.
    public init(to store: Store) throws(SystemError) {
        try self.init(to: store) { folder in
            access(folder, R_OK | X_OK) == 0 && (access(folder + "/vm.json", R_OK) == 0 || errno != EACCES)
        }
    }

    init(to store: Store, isReadable: (_ path: String) -> Bool) throws(SystemError) {
        let names = try store.fileSystem.names(in: store.root)
        guard names.isEmpty || names.contains(StoreIdentity.file) else {
            self = .notAStore
            return
        }
        let folders = names.filter { name in
            VMIdentity(directoryName: name) != nil && !name.hasPrefix(".")
                && store.fileSystem.status(store.path(of: name))?.isDirectory == true
        }
        let unreadable = folders.filter { !isReadable(store.path(of: $0)) }
        self = unreadable.isEmpty ? .readable : .unreadable(unreadable.sorted())
    }
}
