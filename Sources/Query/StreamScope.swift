import LogModel
import LogStore
import SystemIO

/// Which streams a query looks at, and which have come up since it last looked.
struct StreamScope {
    /// A stream, and which of `vms` it belongs to.
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

    /// The VMs looked at.
    private(set) var vms: [Store.VM] = []
    /// Streams that are there but were not asked for.
    private(set) var passedOver: Set<StreamName> = []

    /// The streams of `vms` that are `wanted`, of all when nil; with `isOpen` those of VMs to come as well.
    init(store: Store, vms: [Store.VM], wanted: Set<StreamName>?, isOpen: Bool = false) {
        self.store = store
        self.wanted = wanted
        root = isOpen ? GrowingFolder("", in: store) : nil
        vms.forEach { add($0) }
    }

    /// Whether all of the VMs were deleted, and no other can come. Costs a look at the facts of each VM until one is
    /// found that exists.
    var hasEnded: Bool {
        root == nil && !vms.isEmpty && vms.allSatisfy { store.vm(in: $0.directory).map { $0.ended != nil } ?? true }
    }

    private mutating func add(_ vm: Store.VM) {
        vms.append(vm)
        folders.append(GrowingFolder(vm.directory, in: store))
    }

    /// The streams that are there and were not when this was last asked. Costs one look at each VM's folder. A VM that
    /// was removed has no more to come; that is no error.
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

    /// The streams that have come up in one VM's folder. That it cannot be read keeps no other VM from being read.
    private mutating func nextStreams(_ place: Int) throws -> [StreamID] {
        do {
            return try folders[place].nextStreams()
        } catch let error as SystemError where error.isDamagedFile && vms.count > 1 {
            return []
        }
    }

    /// Folders in which a change may be news, named from the store's root, that were not handed over before.
    mutating func takeNewFolders() -> [String] {
        defer { newFolders = [] }
        for place in folders.indices {
            newFolders += folders[place].takeNewFolders()
        }
        return newFolders + (root?.takeNewFolders() ?? [])
    }
}
