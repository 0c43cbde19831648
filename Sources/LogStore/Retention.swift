// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// Keeps the store within its limits: removes the oldest segment of the largest stream of the VM concerned.
///
/// Of each stream the newest extent stays, so that data being written is never removed, and the oldest is removed
/// first, so that there are no holes; boot heads are removed last. Owned by the sealer's thread.
public final class Retention {
    let store: Store
    private let compressor = Compressor()
    let quota: @Sendable (VMIdentity) -> Quota
    /// The limit of all VMs together, in bytes; nil: none.
    lazy var total = makeTotal()
    private let makeTotal: @Sendable () -> Int?
    private let deletedAge: Int64
    var usages: [String: Int] = [:]
    /// How much each VM that is written has grown since its last check, and the growth that triggers the next.
    var growths: [String: (bytes: Int, step: Int)] = [:]
    /// How much the VMs that are not written any more may grow until their next check, when they are written again.
    var allowances: [String: Int] = [:]
    /// How much all VMs of this process have grown since the usage of every VM was determined; nil: it never was.
    var grown: Int?
    /// The store's lock file; locked while this process is the one that checks all VMs.
    private var lock: StoredFile?
    private var isResponsible = false

    /// What was removed.
    public struct Freed: Hashable, Sendable {
        /// Bytes on disk.
        public var bytes = 0
        /// Segments or pairs.
        public var files = 0
    }

    /// A deleted VM's history is kept for seven days.
    public static let defaultDeletedAge: Int64 = 7 * 86_400 * 1_000_000

    /// Retention over `store`: `quota` for each VM, `total` bytes for all together, `deletedAge` microseconds for the
    /// history of a deleted VM. `total` is called once, at first use: it may have to wait for the disk.
    public init(
        store: Store,
        total: @autoclosure @escaping @Sendable () -> Int? = nil,
        deletedAge: Int64 = Retention.defaultDeletedAge,
        quota: @escaping @Sendable (VMIdentity) -> Quota = { _ in .default }
    ) {
        self.store = store
        makeTotal = total
        self.deletedAge = deletedAge
        self.quota = quota
    }

    /// Checks all VMs: removes what is too old, expired deleted VMs, and what exceeds the limits. Does nothing while
    /// another process does this. An error of one VM does not stop the others; it is thrown at the end.
    public func enforceAll(now: Timestamp) throws(SystemError) -> Freed {
        var freed = Freed()
        if !isResponsible {
            isResponsible = try lockFile().tryLock()
        }
        guard isResponsible else {
            return freed
        }
        var failure: SystemError?
        usages.removeAll()
        var vms = try store.vms()
        if StoreLimits.plausibleTimes.contains(now) {
            failure = correctEnds(of: &vms, at: now)
            let split = vms.partition { $0.ended.map { $0.advanced(byMicroseconds: deletedAge) < now } ?? false }
            failure = remove(vms[split...], at: now) ?? failure
            vms.removeSubrange(split...)
        }
        let present = Set(vms.map(\.directory))
        allowances = allowances.filter { present.contains($0.key) }
        for vm in vms {
            do throws(SystemError) {
                freed += try enforce(vm, now: now)
            } catch {
                failure = failure ?? error
            }
        }
        grown = 0
        freed += try enforceTotal()
        if let failure {
            throw failure
        }
        return freed
    }

    func lockFile() throws(SystemError) -> StoredFile {
        if let lock {
            return lock
        }
        let file = try StoredFile(store.lockPath, .create, on: store.fileSystem)
        lock = file
        return file
    }

    /// Brings one VM, which has just grown by `bytes`, within its quota, and the store within its total. Not at every
    /// call: the cost depends on the number of files.
    func enforce(vm directory: String, grownBy bytes: Int, now: Timestamp) throws(SystemError) -> Freed {
        if growths[directory] == nil, let allowance = allowances.removeValue(forKey: directory) {
            growths[directory] = (0, allowance)
        }
        if let growth = growths[directory], growth.bytes + bytes < growth.step {
            growths[directory]?.bytes += bytes
            return Freed()
        }
        guard let vm = store.vm(in: directory) else {
            return Freed()
        }
        grown = grown.map { $0 + (growths[directory]?.bytes ?? 0) + bytes }
        growths[directory] = (0, 0)
        var freed = try enforce(vm, now: now)
        freed += try enforceTotal()
        return freed
    }

    /// Forgets how much a VM has grown that is not written any more; the total counts it still, and so does its next check.
    func forget(vm directory: String) {
        if let growth = growths.removeValue(forKey: directory) {
            grown = grown.map { $0 + growth.bytes }
            allowances[directory] = growth.step - growth.bytes
        }
    }

    private func enforce(_ vm: Store.VM, now: Timestamp) throws(SystemError) -> Freed {
        let quota = quota(vm.identity)
        var freed = Freed()
        if let age = quota.age {
            freed += try removeOlder(than: age, at: now, in: vm)
        }
        let step = quota.bytes / Self.steps
        if growths[vm.directory] != nil {
            growths[vm.directory] = (0, step)
        }
        if allowances[vm.directory] != nil {
            allowances[vm.directory] = step
        }
        var usage = try usage(of: vm.directory, within: quota.bytes)
        while usage > quota.bytes,
            let more = try evict(usage - quota.bytes + step, of: vm.directory, limit: quota.bytes)
        {
            freed += more
            usage = try self.usage(of: vm.directory, within: quota.bytes)
        }
        usages[vm.directory] = usage
        return freed
    }

    /// A VM is checked when it has grown by this part of its quota, and is reduced by this part more than necessary, so
    /// that checks are worth their cost.
    static let steps = 32

    /// Removes the oldest segments and unsealed pairs of the VM's largest stream, until about `excess` bytes are freed
    /// or another stream is the largest; nil when nothing may be removed.
    func evict(_ excess: Int, of vm: String, limit: Int) throws(SystemError) -> Freed? {
        var usages: [(owner: StreamID, usage: Int)] = []
        for stream in try store.streams(of: vm) {
            usages.append((stream, try store.usage(of: stream)))
        }
        let shares = EvictionShare.shares(of: usages, excess: excess)
        for share in shares {
            let layout = StreamLayout(path: store.path(of: share.owner))
            let victims = try extents(layout).victims(freeing: share.bytes) { size(of: $0, layout) }
            if !victims.isEmpty {
                return try evict(victims, of: share.owner)
            }
        }
        // Only quarantine, heads, and the newest extents are left.
        for share in shares {
            let layout = StreamLayout(path: store.path(of: share.owner))
            if store.fileSystem.status(layout.quarantine) != nil,
                let name = try store.fileSystem.names(in: layout.quarantine).min()
            {
                return try remove([layout.quarantine + "/" + name])
            }
        }
        return try evictHead(of: shares.map(\.owner), limit: limit)
    }

    /// Removes the oldest boot head, if the heads alone take more than half of `limit`: while a flood waits to be
    /// sealed the VM may exceed its limit for a moment, and no head is removed for that.
    private func evictHead(of streams: [StreamID], limit: Int) throws(SystemError) -> Freed? {
        var oldest: (layout: StreamLayout, extent: StreamLayout.Extent)?
        var total = 0
        for stream in streams {
            let layout = StreamLayout(path: store.path(of: stream))
            for extent in try layout.extents(on: store.fileSystem) where extent.kind == .head {
                oldest = oldest ?? (layout, extent)
                total += size(of: extent, layout)
            }
        }
        guard let oldest, total > limit / 2 else {
            return nil
        }
        return try removeHead(oldest.extent, oldest.layout)
    }

    /// The VM's disk usage, without what the next sync will free: a compressed burst evicts nothing. Computed only when
    /// the total usage exceeds `limit`.
    func usage(of vm: String, within limit: Int) throws(SystemError) -> Int {
        var usage = try store.usage(of: vm)
        guard usage > limit else {
            return usage
        }
        for stream in try store.streams(of: vm) {
            let layout = StreamLayout(path: store.path(of: stream))
            for pair in try extents(layout).sealed {
                for file in [layout.log(pair.base), layout.index(pair.base)] {
                    usage -= store.fileSystem.status(file)?.diskUsage ?? 0
                }
            }
        }
        return usage
    }

    /// A stream's extents, with the newest sealed block read from its segment.
    func extents(_ layout: StreamLayout) throws(SystemError) -> EvictableExtents {
        let extents = try layout.extents(on: store.fileSystem)
        var lastSealed: UInt64?
        for extent in extents.reversed() where extent.kind == .segment && lastSealed == nil {
            lastSealed = try blocks(of: extent, layout).last?.offset
        }
        return EvictableExtents(extents, lastSealed: lastSealed)
    }

    /// Disk usage of an extent without a pair's index.
    private func size(of extent: StreamLayout.Extent, _ layout: StreamLayout) -> Int {
        store.fileSystem.status(layout.file(extent))?.diskUsage ?? StoreLimits.fileCost
    }

    /// Removes consecutive extents.
    func evict(_ victims: [StreamLayout.Extent], of stream: StreamID) throws(SystemError) -> Freed {
        let layout = StreamLayout(path: store.path(of: stream))
        var (start, end) = (UInt64.max, UInt64.min)
        var files: [[String]] = []
        for victim in victims {
            start = min(start, victim.base)
            if victim.kind == .pair {
                end = max(end, try self.end(ofPair: victim.base, layout))
                files.append([layout.log(victim.base), layout.index(victim.base)])
            } else {
                // The segment before its pairs: pairs that a crash leaves are the newest data, and will be sealed
                // again.
                let blocks = try blocks(of: victim, layout)
                end = max(end, blocks.last?.end ?? victim.base)
                let pairs = blocks.flatMap { [layout.log($0.offset), layout.index($0.offset)] }
                files.append([layout.segment(victim.base)] + pairs)
            }
        }
        // With them, pairs that the sealer has skipped.
        for extent in try layout.extents(on: store.fileSystem)
        where extent.kind == .pair && extent.base < end && !victims.contains(extent) {
            files[files.count - 1] += [layout.log(extent.base), layout.index(extent.base)]
        }
        // Freeing space on a full or failing disk must not depend on reading or writing a head.
        let heads = try self.heads(layout)
        try? BootHeads(layout: layout, fileSystem: store.fileSystem, compressor: compressor)
            .save(range: start..<max(start, end), from: store.reader(of: stream))
        let isReplayable = store.properties(of: stream).isReplayable
        let source = isReplayable ? try SourcePosition.last(in: victims, layout, on: store.fileSystem) : nil
        let note = { [self] () throws(SystemError) in
            try update(layout) { known throws(SystemError) in
                known.trim(to: end)
                known.source = source.map { known.source.followed(by: $0) } ?? known.source
                try noteHeads(since: heads, layout, in: &known)
            }
        }
        // On a full disk there may be room for it only after the files were removed.
        let isNoted = (try? note()) != nil
        var freed = Freed()
        for files in files {
            freed += try remove(files)
        }
        if !isNoted {
            try? note()
        }
        return freed
    }

    /// The blocks of a segment; none when it cannot be read.
    func blocks(of segment: StreamLayout.Extent, _ layout: StreamLayout) throws(SystemError) -> [BlockHeader] {
        try SegmentFile.readable(layout.file(segment), on: store.fileSystem)?.headers ?? []
    }

    /// The end of a pair, as far as it can be read.
    private func end(ofPair base: UInt64, _ layout: StreamLayout) throws(SystemError) -> UInt64 {
        do throws(SystemError) {
            return try PairFile(layout, base: base, fileSystem: store.fileSystem).end
        } catch {
            guard error.isDamagedFile else {
                throw error
            }
            return base
        }
    }
}

extension Retention.Freed {
    static func += (total: inout Self, more: Self) {
        total.bytes += more.bytes
        total.files += more.files
    }
}
