import LogModel
import SystemIO

/// How much may be kept, of one VM.
public struct Quota: Hashable, Sendable {
    /// Bytes on disk of all the VM's streams together.
    public var bytes: Int
    /// Oldest entry's age in microseconds; nil: any.
    public var age: Int64?

    /// 100 MiB of any age: about 500 MiB of text, docker's default kept of a container.
    public static let standard = Quota(bytes: 100 << 20, age: nil)

    /// A quota from its parts.
    public init(bytes: Int, age: Int64? = nil) {
        self.bytes = bytes
        self.age = age
    }
}

/// Keeps the store within its bounds: what goes is the oldest segment of the biggest stream of the VM concerned.
///
/// The pair being written and the segment being grown never go; boot heads go last. Owned by the sealer's thread.
public final class Retention {
    private let store: Store
    private let compressor = Compressor()
    /// The bounds of one VM, by its name.
    public var quota: @Sendable (VMIdentity) -> Quota
    /// Bytes that all VMs together may take; nil: any number.
    public var total: Int?
    /// How long the history of a deleted VM stays, in microseconds.
    public var deletedAge: Int64
    private var usages: [String: Int] = [:]

    /// What was removed.
    public struct Freed: Hashable, Sendable {
        /// Bytes on disk.
        public var bytes = 0
        /// Segments or pairs.
        public var files = 0
    }

    /// A deleted VM's history stays seven days.
    public static let standardDeletedAge: Int64 = 7 * 86_400 * 1_000_000

    /// Retention over `store`.
    public init(
        store: Store,
        total: Int? = nil,
        deletedAge: Int64 = Retention.standardDeletedAge,
        quota: @escaping @Sendable (VMIdentity) -> Quota = { _ in .standard }
    ) {
        self.store = store
        self.total = total
        self.deletedAge = deletedAge
        self.quota = quota
    }

    /// Looks at all VMs: removes what is too old, the deleted ones whose time is over, and what is too much.
    public func enforceAll(now: Timestamp) throws(SystemError) -> Freed {
        var freed = Freed()
        usages.removeAll()
        for vm in try store.vms() {
            if let ended = vm.ended, ended.advanced(byMicroseconds: deletedAge) < now {
                try remove(vm)
                continue
            }
            freed += try enforce(vm, now: now)
        }
        freed += try enforceTotal()
        return freed
    }

    /// Brings one VM, which has just grown, within its quota, and the store within its total.
    public func enforce(vm directory: String, now: Timestamp) throws(SystemError) -> Freed {
        guard let vm = store.vm(in: directory) else {
            return Freed()
        }
        var freed = try enforce(vm, now: now)
        freed += try enforceTotal()
        return freed
    }

    private func enforce(_ vm: Store.VM, now: Timestamp) throws(SystemError) -> Freed {
        let quota = quota(vm.identity)
        var freed = Freed()
        if let age = quota.age {
            freed += try removeOlder(than: now.advanced(byMicroseconds: -age), in: vm)
        }
        var usage = try store.usage(of: vm.directory)
        while usage > quota.bytes, let step = try evictOldest(of: vm.directory, limit: quota.bytes) {
            freed += step
            usage = try store.usage(of: vm.directory)
        }
        usages[vm.directory] = usage
        return freed
    }

    private func enforceTotal() throws(SystemError) -> Freed {
        var freed = Freed()
        guard let total else {
            return freed
        }
        var spent: Set<String> = []
        while usages.values.reduce(0, +) > total,
            let biggest = usages.filter({ !spent.contains($0.key) }).max(by: { $0.value < $1.value })?.key
        {
            if let step = try evictOldest(of: biggest, limit: total) {
                freed += step
                usages[biggest] = try store.usage(of: biggest)
            } else {
                spent.insert(biggest)
            }
        }
        return freed
    }

    /// Removes the oldest segment, or unsealed pair, of the VM's biggest stream; nil when nothing may go.
    private func evictOldest(of vm: String, limit: Int) throws(SystemError) -> Freed? {
        var streams: [(stream: StreamID, usage: Int)] = []
        for stream in try store.streams(of: vm) {
            streams.append((stream, try store.usage(of: stream)))
        }
        streams.sort { $0.usage > $1.usage }
        for (stream, _) in streams {
            if let victim = try evictable(stream).first {
                return try evict(victim, of: stream)
            }
        }
        // Nothing is left but what is in quarantine, heads, and what is being written or sealed, which goes by itself.
        for (stream, _) in streams {
            let layout = StreamLayout(path: store.path(of: stream))
            if store.fileSystem.status(layout.quarantine) != nil,
                let name = try store.fileSystem.names(in: layout.quarantine).min()
            {
                return try remove([layout.quarantine + "/" + name])
            }
        }
        return try evictHead(of: streams.map(\.stream), limit: limit)
    }

    /// Removes the oldest boot head, if the heads alone take more than half of `limit`: while a flood waits to be sealed
    /// the VM may take more than its share for a moment, and no head goes for that.
    private func evictHead(of streams: [StreamID], limit: Int) throws(SystemError) -> Freed? {
        var oldest: String?
        var total = 0
        for stream in streams {
            let layout = StreamLayout(path: store.path(of: stream))
            for extent in try layout.extents(on: store.fileSystem) where extent.kind == .head {
                let file = layout.file(extent)
                oldest = oldest ?? file
                total += max(StoreLimits.fileCost, store.fileSystem.status(file)?.size ?? 0)
            }
        }
        guard let oldest, total > limit / 2 else {
            return nil
        }
        return try remove([oldest])
    }

    /// The extents that may go, oldest first: all segments but one that still grows, and all pairs but the last and
    /// those that are sealed: they go at the next sync, and until then they are what a failed one is mended from.
    private func evictable(_ stream: StreamID) throws(SystemError) -> [StreamLayout.Extent] {
        let layout = StreamLayout(path: store.path(of: stream))
        let extents = try layout.extents(on: store.fileSystem)
        let pairs = extents.filter { $0.kind == .pair }
        let bases = Set(pairs.map(\.base))
        var segments = extents.filter { $0.kind == .segment }
        var sealed: Set<UInt64> = []
        while let last = segments.last {
            let file = try SegmentFile(path: layout.file(last), fileSystem: store.fileSystem)
            let unsynced = bases.intersection(file.headers.map(\.offset))
            if file.isClosed, unsynced.isEmpty {
                break
            }
            sealed.formUnion(unsynced)
            segments.removeLast()
            if unsynced.isEmpty {
                break
            }
        }
        return (segments + pairs.dropLast().filter { !sealed.contains($0.base) }).sorted()
    }

    private func evict(_ extent: StreamLayout.Extent, of stream: StreamID) throws(SystemError) -> Freed {
        let layout = StreamLayout(path: store.path(of: stream))
        let reader = store.reader(of: stream)
        if let range = try self.range(of: extent, layout) {
            try BootHeads(layout: layout, fileSystem: store.fileSystem, compressor: compressor)
                .save(range: range, from: reader)
        }
        var files = [layout.file(extent)]
        if extent.kind == .pair {
            files.append(layout.index(extent.base))
        }
        return try remove(files)
    }

    private func range(of extent: StreamLayout.Extent, _ layout: StreamLayout) throws(SystemError) -> Range<UInt64>? {
        if extent.kind == .pair {
            let pair = try PairFile(layout, base: extent.base, fileSystem: store.fileSystem)
            return pair.base < pair.end ? pair.base..<pair.end : nil
        }
        let headers = try SegmentFile(path: layout.file(extent), fileSystem: store.fileSystem).headers
        guard let first = headers.first, let last = headers.last, first.offset < last.end else {
            return nil
        }
        return first.offset..<last.end
    }

    private func removeOlder(than limit: Timestamp, in vm: Store.VM) throws(SystemError) -> Freed {
        var freed = Freed()
        for stream in try store.streams(of: vm.directory) {
            let layout = StreamLayout(path: store.path(of: stream))
            for extent in try evictable(stream) where extent.kind == .segment {
                let headers = try SegmentFile(path: layout.file(extent), fileSystem: store.fileSystem).headers
                let latest = headers.lazy.map(\.timeRange.upperBound).max() ?? .distantPast
                if latest < limit {
                    freed += try evict(extent, of: stream)
                }
            }
            for extent in try layout.extents(on: store.fileSystem) where extent.kind == .head {
                let headers = try SegmentFile(path: layout.file(extent), fileSystem: store.fileSystem).headers
                if headers.lazy.map(\.timeRange.upperBound).max() ?? .distantPast < limit {
                    freed += try remove([layout.file(extent)])
                }
            }
        }
        return freed
    }

    private func remove(_ files: [String]) throws(SystemError) -> Freed {
        var freed = Freed(files: 1)
        for file in files {
            freed.bytes += max(StoreLimits.fileCost, store.fileSystem.status(file)?.size ?? 0)
            try store.fileSystem.remove(file)
        }
        return freed
    }

    /// Removes a VM's whole history. The caller makes sure that nobody writes it.
    public func remove(_ vm: Store.VM) throws(SystemError) {
        try removeTree(store.path(of: vm.directory))
        usages[vm.directory] = nil
    }

    private func removeTree(_ path: String) throws(SystemError) {
        for name in try store.fileSystem.names(in: path) {
            let entry = path + "/" + name
            if store.fileSystem.status(entry)?.isDirectory == true {
                try removeTree(entry)
            } else {
                try store.fileSystem.remove(entry)
            }
        }
        try store.fileSystem.removeDirectory(path)
    }
}

extension Retention.Freed {
    static func += (total: inout Self, more: Self) {
        total.bytes += more.bytes
        total.files += more.files
    }
}
