// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import LogModel
import LogStore
import SystemIO

// Whose bytes the ring holds.
extension InflightRing {
    /// Sets the store of the bytes, once it is known.
    func setStore(_ identity: StoreIdentity) {
        Self.put(identity.text, at: mapping + HeaderLayout.storeID, room: StoreIdentity.length + 1)
    }

    /// Whether the bytes belong to the store `identity` in the folder `path`. A process that ended before it knew the
    /// identity has stored the path only.
    func belongs(to identity: StoreIdentity, at path: String) -> Bool {
        let known = Self.text(header, HeaderLayout.storeID, StoreIdentity.length)
        return known.isEmpty
            ? Self.text(header, HeaderLayout.storePath, HeaderLayout.storePathSize) == path : known == identity.text
    }

    /// When its shard was last active, in microseconds since the Unix epoch; 0: never.
    var lastTurn: Int64 {
        get { Int64(bitPattern: gl_load_acquire(headerWord(HeaderLayout.lastTurn))) }
        set { gl_store_release(headerWord(HeaderLayout.lastTurn), UInt64(bitPattern: newValue)) }
    }

    /// Removes the ring's file; the mapping stays until the last reference is gone.
    func removeFile() {
        FileOwner.asProcess { _ = unlink(path) }
    }
}
