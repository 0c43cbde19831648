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

    /// What the header of a ring's file says of its origin; nil when there is none.
    static func header(of file: Int32) -> (magic: UInt64, hostBoot: String)? {
        // Read, not mapped: an unallocated page would have to be allocated for that.
        withUnsafeTemporaryAllocation(byteCount: headerSize, alignment: 8) { buffer in
            guard pread(file, buffer.baseAddress, buffer.count, 0) == buffer.count else {
                return nil
            }
            let hostBoot = text(UnsafeRawBufferPointer(buffer), HeaderLayout.hostBoot, HeaderLayout.hostBootSize)
            return (buffer.load(as: UInt64.self), hostBoot)
        }
    }

    /// Whether a ring with this magic number is of another version of this program: the last two bytes are the version.
    static func isOtherVersion(_ magic: UInt64) -> Bool {
        let name: UInt64 = (1 << 48) - 1
        return magic != Self.magic && magic & name == Self.magic & name
    }

    /// Removes the ring's file; the mapping stays until the last reference is gone.
    func removeFile() {
        FileOwner.asProcess { _ = unlink(path) }
    }
}
