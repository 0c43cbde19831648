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

    private let store: Store
    private let wanted: Set<StreamName>?
    private var root: GrowingFolder?
    /// The VMs' folders, in the order of `vms`.
    private var folders: [GrowingFolder] = []
    private var newFolders: [String] = []

    private(set) var vms: [Store.VM] = []
    /// Existing streams that were not requested.
    private(set) var passedOver: Set<StreamName> = []

    /// The `wanted` streams of `vms`, all when nil; with `isOpen` those of future VMs as well.
    init(store: Store, vms: [Store.VM], wanted: Set<StreamName>?, isOpen: Bool = false) {
        self.store = store
        self.wanted = wanted
        root = isOpen ? GrowingFolder("", in: store) : nil
        vms.forEach { add($0) }
    }

    /// Whether all VMs were deleted, and no other can appear. Reads the facts of each VM until one is found that
    /// exists.
    var hasEnded: Bool {
        root == nil && !vms.isEmpty && vms.allSatisfy { store.vm(in: $0.directory).map { $0.ended != nil } ?? true }
    }

    private mutating func add(_ vm: Store.VM) {
        vms.append(vm)
        folders.append(GrowingFolder(vm.directory, in: store))
    }

    /// The streams that have appeared since the last call. Costs one check of each VM's folder. A removed VM has no
    /// more streams; that is not an error.
    mutating func refresh() throws -> [Found] {
        if let arrived = try root?.nextVMs() {
            let known = Set(vms.map(\.directory))
            arrived.filter { $0.ended == nil && !known.contains($0.directory) }.forEach { add($0) }
        }
        var found: [Found] = []
        for (place, vm) in vms.enumerated() {
            for stream in try nextStreams(place) {
                guard wanted?.contains(stream.stream) ?? true else {
                    passedOver.insert(stream.stream)
                    continue
                }
                newFolders.append(vm.directory + "/" + stream.stream.text)
                found.append(Found(stream: stream, vm: place))
            }
        }
        return found
    }

    /// The new streams in one VM's folder. An unreadable folder does not stop others from being read.
    private mutating func nextStreams(_ place: Int) throws -> [StreamID] {
        do {
            return try folders[place].nextStreams()
        } catch let error as SystemError where error.isDamagedFile && vms.count > 1 {
            return []
        }
    }

    /// Folders to be observed, named relative to the store's root, that were not returned before.
    mutating func takeNewFolders() -> [String] {
        defer { newFolders = [] }
        for place in folders.indices {
            newFolders += folders[place].takeNewFolders()
        }
        return newFolders + (root?.takeNewFolders() ?? [])
    }
}
