import LogModel
import LogStore
import SystemIO

#if canImport(Glibc)
    import Glibc
#endif

/// A folder of the store that is looked at again and again for entries that have come up: VMs in the root, streams in
/// a VM's folder. An entry counts once it is whole: what makes it one is written after its folder is made.
///
/// As long as nothing changes a look costs one system call. A folder that is gone has no entries; that is no error.
struct GrowingFolder {
    /// Its name, from the store's root; the root's own is empty.
    private let name: String
    private let store: Store
    private var entries: Set<String> = []
    private var incomplete: Set<String> = []
    /// When the folder had last changed as its entries were listed; nil: they must be listed again.
    private var listed: Int64?
    private var isGone = false

    /// Folders in which a change may be news to this one, since they were last taken.
    private var newFolders: [String]

    /// Changes closer to each other than this, in microseconds, may bear the same time: the kernel's clock for files
    /// has ticks, of ten milliseconds at most.
    private static let tick: Int64 = 100_000

    init(_ name: String, in store: Store) {
        self.name = name
        self.store = store
        newFolders = [name]
    }

    private var path: String { store.root + "/" + name }

    /// The entries that are whole and were not when this was last asked. `whole` says which of some are.
    private mutating func next(whole: (Set<String>, Store) throws -> Set<String>) throws -> [String] {
        guard let modified = store.fileSystem.status(path)?.modified else {
            (entries, incomplete, listed, isGone) = ([], [], nil, true)
            return []
        }
        if isGone {
            // Another of the same name, to be listened to anew.
            isGone = false
            newFolders.append(name)
        }
        do {
            var new: Set<String> = []
            if modified != listed {
                let names = Set(try store.fileSystem.names(in: path).filter(isFolder))
                listed = modified < SystemClock().wallMicroseconds() - Self.tick ? modified : nil
                new = names.subtracting(entries)
                entries = names
                incomplete = incomplete.intersection(names).union(new)
            }
            let found = incomplete.isEmpty ? [] : try whole(incomplete, store)
            incomplete.subtract(found)
            newFolders += new.subtracting(found).map { name.isEmpty ? $0 : name + "/" + $0 }
            return found.sorted()
        } catch let error as SystemError where error.code == ENOENT {
            return []
        }
    }

    /// The VMs in the store's root that are there and were not when this was last asked.
    mutating func nextVMs() throws -> [Store.VM] {
        try next { names, store in names.filter { store.vm(in: $0) != nil } }.compactMap(store.vm(in:))
    }

    /// The streams in a VM's folder that are there and were not when this was last asked.
    mutating func nextStreams() throws -> [StreamID] {
        let vm = name
        return try next { names, store in names.intersection(try store.streams(of: vm).map(\.stream.text)) }
            .compactMap(StreamName.init).map { StreamID(vm: vm, stream: $0) }
    }

    /// Whether `entry` may be a VM's or a stream's folder. The names of streams' have no point, those of the files
    /// beside them do; a VM's may have one, between its namespace and its name.
    private func isFolder(_ entry: String) -> Bool {
        name.isEmpty ? !VMIdentity.taken.contains(entry) : entry != "lock" && !entry.contains(".")
    }

    /// Hands over what `newFolders` holds.
    mutating func takeNewFolders() -> [String] {
        defer { newFolders = [] }
        return newFolders
    }
}
