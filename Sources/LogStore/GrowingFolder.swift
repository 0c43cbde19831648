// SPDX-License-Identifier: Apache-2.0

public import LogModel
import SystemIO

#if canImport(Glibc)
    import Glibc
#endif

/// A folder of the store that is checked repeatedly for new entries: VMs in the root, streams in a VM's folder. An
/// entry is listed once it is complete: its metadata is written after its folder is created.
///
/// A check without changes costs one system call. A missing folder has no entries; that is not an error.
public struct GrowingFolder: Sendable {
    /// Its name, relative to the store's root; empty for the root itself.
    private let name: String
    private let store: Store
    private var entries: Set<String> = []
    private var incomplete: Set<String> = []
    /// The folder's modification time when its entries were last listed; nil: they must be listed again.
    private var listed: Int64?
    private var isGone = false

    /// Folders to be observed, since they were last taken.
    private var newFolders: [String]

    /// Changes closer together than this, in microseconds, may have the same time: the kernel's clock for files has
    /// ticks of at most ten milliseconds.
    private static let tick: Int64 = 100_000

    /// The folder `name` of `store`; empty for the root.
    public init(_ name: String, in store: Store) {
        self.name = name
        self.store = store
        newFolders = [name]
    }

    private var path: String { store.root + "/" + name }

    /// The entries that have become complete since the last call. `whole` returns which of some are.
    private mutating func next(whole: (Set<String>, Store) throws -> Set<String>) throws -> [String] {
        guard let modified = store.fileSystem.status(path)?.modifiedMicroseconds else {
            (entries, incomplete, listed, isGone) = ([], [], nil, true)
            return []
        }
        if isGone {
            // A new folder of the same name must be observed again.
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
        } catch let error as SystemError where error.code == ENOENT || store.leavesOut(error) {
            return []
        }
    }

    /// The VMs in the store's root that have appeared since the last call.
    public mutating func nextVMs() throws -> [Store.VM] {
        try next { names, store in names.filter { store.vm(in: $0) != nil } }.compactMap(store.vm(in:))
    }

    /// The streams in a VM's folder that have appeared since the last call.
    public mutating func nextStreams() throws -> [StreamID] {
        let vm = name
        return try next { names, store in names.intersection(try store.streams(of: vm).map(\.stream.text)) }
            .compactMap(StreamName.init).map { StreamID(vm: vm, stream: $0) }
    }

    /// Whether `entry` may be the folder of a VM or a stream. Streams' names have no dot, those of files beside them
    /// do; a VM's may have one, between its namespace and its name.
    private func isFolder(_ entry: String) -> Bool {
        name.isEmpty ? !VMIdentity.reservedNames.contains(entry) : entry != "lock" && !entry.contains(".")
    }

    /// The folders to be observed that were not returned before.
    public mutating func takeNewFolders() -> [String] {
        defer { newFolders = [] }
        return newFolders
    }
}
