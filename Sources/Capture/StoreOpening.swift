// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO

/// The first access to the store's disk: creates its folder, reads its identity, and locks it where only one process
/// may serve it. Runs on the writer's thread, because the disk may hang while guests are drained.
struct StoreOpening: Sendable {
    let store: Store
    /// Whether no other process of this kind may serve the store.
    let isExclusive: Bool
    /// Whether files belong to the owner of the store's folder.
    let usesOwner: Bool

    /// An opened store.
    struct Opened: Sendable {
        let identity: StoreIdentity
        /// The user as which its threads access files; nil: the process's own.
        let owner: FileOwner?
        /// Held while the process serves the store.
        let lock: StoreLock?
    }

    func open() throws(SystemError) -> Opened {
        try store.fileSystem.makeDirectories(store.root)
        let owner = usesOwner ? FileOwner(of: store.root) : nil
        owner?.become()
        let lock = isExclusive ? try StoreLock(of: store) : nil
        return Opened(identity: try StoreIdentity(of: store), owner: owner, lock: lock)
    }

    /// Throws the error that `open` would, unless it is transient; a lock that is held is one if its process `willEnd`
    /// before the store is opened, or, where that is not known, if it `isUnlocked` by then. Changes nothing. The calling
    /// thread accesses files as the store's owner from then on.
    func check(isUnlocked: Bool, willEnd: (_ process: Int32) -> Bool) throws(SystemError) {
        do throws(SystemError) {
            if usesOwner, store.fileSystem.status(store.root) != nil {
                FileOwner(of: store.root)?.become()
            }
            try FolderAccess.check(store.root)
            try StoreIdentity.checkAccess(to: store)
            if isExclusive, StoreLock.isHeld(of: store) {
                let holders = StoreLock.holders(of: store)
                guard holders.isEmpty ? isUnlocked : holders.contains(where: willEnd) else {
                    throw StoreLock.held(store)
                }
            }
        } catch  where error.isTransient {}
    }
}

/// The lock of the one daemon that serves a store: the file `.serve.lock` in it.
final class StoreLock: @unchecked Sendable {
    // Sendable because the file is not used after it was locked.

    private let file: StoredFile

    private static let name = ".serve.lock"

    /// Throws EWOULDBLOCK when a running daemon holds the lock.
    init(of store: Store) throws(SystemError) {
        file = try StoredFile(store.root + "/" + Self.name, .create, on: store.fileSystem)
        guard file.lock() else {
            throw Self.held(store)
        }
    }

    /// Whether a running daemon holds the lock.
    static func isHeld(of store: Store) -> Bool {
        (try? StoredFile(store.root + "/" + name, .read, on: store.fileSystem))?.isLocked ?? false
    }

    /// The processes that may hold the lock; none when that is not known.
    static func holders(of store: Store) -> [Int32] { ProcFile.lockHolders(ofFileAt: store.root + "/" + name) }

    /// The error of a store whose lock is held.
    static func held(_ store: Store) -> SystemError {
        let reason = "another guestlog serve uses this store"
        return SystemError("lock", store.root, code: SystemError.wouldBlock, reason: reason)
    }
}
