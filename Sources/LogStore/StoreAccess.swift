// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
public import SystemIO

/// What a user can read of a store.
public enum StoreAccess: Equatable, Sendable {
    /// All of it, as far as its first VM shows.
    case readable
    /// The folder has other contents, and not the file that each store has.
    case notAStore
    /// These folders cannot be read by this user.
    case unreadable([String])

    /// The access of the calling thread's user to `store`, whose folder can be read. Looks at one VM only, unless that
    /// one cannot be read: permissions are mostly the same for all.
    public init(to store: Store) throws(SystemError) {
        try self.init(to: store) { access($0, R_OK | X_OK) == 0 }
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
        guard let first = folders.first, !isReadable(store.path(of: first)) else {
            self = .readable
            return
        }
        self = .unreadable(folders.filter { !isReadable(store.path(of: $0)) })
    }
}
