import LogModel
import LogStore
import SystemIO

/// The first thing that is done with the store's disk: its folder is made, its identity read, and, where one process alone
/// may serve it, its lock taken. On the writer's thread, for the disk may hang, and guests are drained meanwhile.
struct StoreOpening: Sendable {
    let store: Store
    /// Whether this process is to be the only one of its kind on the store.
    let isExclusive: Bool
    /// Whether files are to belong to whom the store's folder belongs to.
    let usesOwner: Bool

    /// A store that was opened.
    struct Opened: Sendable {
        let identity: StoreIdentity
        /// As whom its threads touch files; nil: as the process.
        let owner: FileOwner?
        /// Held as long as the process serves the store.
        let lock: StoreLock?
    }

    func open() throws(SystemError) -> Opened {
        try store.fileSystem.makeDirectories(store.root)
        let owner = usesOwner ? FileOwner(of: store.root) : nil
        owner?.become()
        let lock = isExclusive ? try StoreLock(of: store) : nil
        return Opened(identity: try StoreIdentity(of: store), owner: owner, lock: lock)
    }
}

/// The lock of the one daemon that serves a store: the file `.serve.lock` in it.
final class StoreLock: @unchecked Sendable {
    // Sendable because nothing is done with the file once it is locked.

    private let file: StoredFile

    private static let name = ".serve.lock"

    /// Takes it. Throws EWOULDBLOCK when a daemon that lives has it.
    init(of store: Store) throws(SystemError) {
        file = try StoredFile(store.root + "/" + Self.name, .create, on: store.fileSystem)
        guard file.tryLock() else {
            throw SystemError(
                "lock (another guestlog serve uses this store)",
                store.root,
                code: SystemError.wouldBlock
            )
        }
    }
}
