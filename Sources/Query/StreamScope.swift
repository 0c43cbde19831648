// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO

/// The streams of a query, including those that appear later.
struct StreamScope {
    /// A stream, and the index of its VM in `vms`.
    struct Found {
        let stream: StreamID
        let vm: Int
    }

    /// The VMs that belong to it when they appear.
    enum Future {
        case none
        case all
        /// All, also those that have ended before they were noticed.
        case everything
        /// Those with the name and the namespace of one of the present VMs, the next VM of that name, and those that
        /// match the pattern.
        case named(VMPattern)
    }

    private let store: Store
    private let future: Future
    private let wanted: Set<StreamName>?
    private var root: GrowingFolder?
    /// The VMs' folders, in the order of `vms`.
    private var folders: [GrowingFolder] = []
    private var newFolders: [String] = []

    private(set) var vms: [Store.VM] = []
    /// The indexes of those that are not known to be deleted.
    private var existing: [Int] = []
    /// Existing streams that were not requested.
    private(set) var passedOver: Set<StreamName> = []

    /// The `wanted` streams of `vms`, all when nil, and those of `future` VMs.
    init(store: Store, vms: [Store.VM], wanted: Set<StreamName>?, future: Future = .none) {
        self.store = store
        self.future = future
        self.wanted = wanted
        if case .none = future {
            root = nil
        } else {
            root = GrowingFolder("", in: store)
        }
        vms.forEach { add($0) }
    }

    /// The named VMs that were deleted since the last call. Reads the metadata of each.
    mutating func takeDeleted() -> [Store.VM] {
        guard case .named = future else {
            return []
        }
        let gone = existing.filter { store.vm(in: vms[$0].directory).map { $0.ended != nil } ?? true }
        existing.removeAll { gone.contains($0) }
        return gone.map { vms[$0] }
    }

    private mutating func add(_ vm: Store.VM) {
        existing.append(vms.count)
        vms.append(vm)
        folders.append(GrowingFolder(vm.directory, in: store))
    }

    private func includes(_ vm: Store.VM) -> Bool {
        switch future {
        case .none: false
        case .all, .everything: true
        case .named(let pattern):
            pattern.contains(vm.identity)
                || vms.contains {
                    $0.identity.name == vm.identity.name && $0.identity.namespace == vm.identity.namespace
                }
        }
    }

    /// The streams that have appeared since the last call. Costs one check of each VM's folder. A removed VM has no
    /// more streams; that is not an error.
    mutating func refresh() throws -> [Found] {
        if let arrived = try root?.nextVMs() {
            let known = Set(vms.map(\.directory))
            let endedToo = if case .everything = future { true } else { false }
            arrived.filter { ($0.ended == nil || endedToo) && !known.contains($0.directory) && includes($0) }.forEach {
                add($0)
            }
        }
        var found: [Found] = []
        for index in vms.indices {
            for stream in try nextStreams(index) {
                guard wanted?.contains(stream.stream) ?? true else {
                    passedOver.insert(stream.stream)
                    continue
                }
                newFolders.append(stream.folder)
                found.append(Found(stream: stream, vm: index))
            }
        }
        return found
    }

    /// The new streams in one VM's folder. An unreadable folder does not stop others from being read.
    private mutating func nextStreams(_ index: Int) throws -> [StreamID] {
        do {
            return try folders[index].nextStreams()
        } catch let error as SystemError where error.isDamagedFile && vms.count > 1 {
            return []
        }
    }

    /// Folders to be observed, named relative to the store's root, that were not returned before.
    mutating func takeNewFolders() -> [String] {
        defer { newFolders = [] }
        for index in folders.indices {
            newFolders += folders[index].takeNewFolders()
        }
        return newFolders + (root?.takeNewFolders() ?? [])
    }
}
