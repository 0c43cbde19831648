import LogModel
import LogStore

/// Which streams a query looks at, and which have come up since it last looked.
struct StreamScope {
    /// A stream, and which of the query's VMs it belongs to.
    struct Found {
        let stream: StreamID
        let vm: Int
    }

    private let store: Store
    private let vms: [Store.VM]
    private let wanted: Set<StreamName>?
    private var known: Set<StreamID> = []
    /// When each VM's folder last changed, of those that hold nothing half made.
    private var changed: [Int: Int64] = [:]

    /// Streams that are there but were not asked for.
    private(set) var passedOver: Set<StreamName> = []

    init(store: Store, vms: [Store.VM], wanted: Set<StreamName>?) {
        self.store = store
        self.vms = vms
        self.wanted = wanted
    }

    /// The streams that are there and were not when this was last asked. Costs one look at each VM's folder.
    mutating func refresh() throws -> [Found] {
        var found: [Found] = []
        for (place, vm) in vms.enumerated() {
            let folder = store.root + "/" + vm.directory
            let modified = store.fileSystem.status(folder)?.modified
            if let modified, changed[place] == modified {
                continue
            }
            let streams = try store.streams(of: vm.directory)
            // A stream is there once its facts are; until then the folder's time tells nothing.
            let names = try store.fileSystem.names(in: folder).filter { $0 != "lock" && StreamName($0) != nil }
            changed[place] = names.count == streams.count ? modified : nil
            for stream in streams where !known.contains(stream) {
                guard wanted?.contains(stream.stream) ?? true else {
                    passedOver.insert(stream.stream)
                    continue
                }
                known.insert(stream)
                found.append(Found(stream: stream, vm: place))
            }
        }
        return found
    }
}
