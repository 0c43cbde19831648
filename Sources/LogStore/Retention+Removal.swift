// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

// What is removed because of its age, and whole VMs.
extension Retention {
    /// Removes what was received more than `age` microseconds ago. Nothing while the clock is wrong.
    func removeOlder(than age: Int64, at now: Timestamp, in vm: Store.VM) throws(SystemError) -> Freed {
        var freed = Freed()
        guard StoreLimits.plausibleTimes.contains(now) else {
            return freed
        }
        let limit = now.advanced(byMicroseconds: -age)
        for stream in try store.streams(of: vm.directory) {
            let layout = StreamLayout(path: store.path(of: stream))
            let times = try receiveTimes(layout, at: now)
            let isOld = { (extent: StreamLayout.Extent) in times[extent].map { $0 < limit } ?? false }
            for extent in try extents(layout).evictable {
                guard extent.kind == .segment, isOld(extent) else {
                    break
                }
                freed += try remove([extent], of: stream)
            }
            for extent in times.keys.sorted() where extent.kind == .head && isOld(extent) {
                freed += try removeHead(extent, layout)
            }
        }
        return freed
    }

    /// When the last text of each extent was received. An extent that was stamped while the clock was wrong counts as
    /// old as the next one: a host without a battery begins each boot in 1970, and a clock may be years ahead for a
    /// while.
    private func receiveTimes(
        _ layout: StreamLayout,
        at now: Timestamp
    ) throws(SystemError) -> [StreamLayout.Extent: Timestamp] {
        var times: [StreamLayout.Extent: Timestamp] = [:]
        var next = now
        for extent in try layout.extents(on: store.fileSystem).reversed() {
            next = try latest(in: extent, layout, at: now) ?? next
            times[extent] = next
        }
        return times
    }

    /// The latest plausible time of an extent's text; nil when it has none.
    private func latest(
        in extent: StreamLayout.Extent,
        _ layout: StreamLayout,
        at now: Timestamp
    ) throws(SystemError) -> Timestamp? {
        var times = try blocks(of: extent, layout).flatMap { [$0.timeRange.lowerBound, $0.timeRange.upperBound] }
        if times.isEmpty {
            // An open pair, or one that is damaged or was emptied by a crash.
            let modified = store.fileSystem.status(layout.file(extent))?.modifiedMicroseconds
            times = modified.map { [Timestamp(microseconds: $0)] } ?? []
        }
        let latestPossible = now.advanced(byMicroseconds: StoreLimits.futureTolerance)
        return times.filter { StoreLimits.plausibleTimes.contains($0) && $0 <= latestPossible }.max()
    }

    func remove(_ files: [String]) throws(SystemError) -> Freed {
        var freed = Freed(files: 1)
        for file in files {
            if let status = store.fileSystem.status(file) {
                freed.bytes += status.diskUsage
                if status.isDirectory {
                    try removeTree(file)
                } else {
                    try store.fileSystem.remove(file)
                }
            }
        }
        return freed
    }

    /// A VM that was deleted while the clock was wrong counts as deleted at `now`, so that it is kept as long as others. An
    /// error of one VM does not stop the others; the first one is returned.
    func correctEnds(of vms: inout [Store.VM], at now: Timestamp) -> SystemError? {
        var failure: SystemError?
        let latest = now.advanced(byMicroseconds: StoreLimits.futureTolerance)
        for index in vms.indices {
            guard let ended = vms[index].ended, !StoreLimits.plausibleTimes.contains(ended) || ended > latest else {
                continue
            }
            // Since it was listed it may have been started again.
            guard store.vm(in: vms[index].directory)?.ended == ended, !store.isWritten(vms[index]) else {
                continue
            }
            vms[index].ended = now
            do throws(SystemError) {
                try store.write(vms[index])
            } catch {
                failure = failure ?? error
            }
        }
        return failure
    }

    /// Removes the whole histories of deleted VMs, which have no writers; notes before which positions they have used.
    /// An error of one VM does not stop the others; the first one is returned.
    func remove(_ vms: some Collection<Store.VM>, at now: Timestamp) -> SystemError? {
        guard !vms.isEmpty else {
            return nil
        }
        var removed = RemovedVMs(in: store)
        for vm in vms {
            if let used = store.usedPositions(of: vm.directory) {
                let created = vm.metadataProblem == nil ? vm.created : nil
                removed.note(vm.directory, stride: used.stride, ends: used.ends, created: created, at: now)
            }
        }
        removed.prune(at: now)
        // On a full disk this fails, and is tried again after the removal has freed space.
        let isNoted = (try? removed.write(to: store)) != nil
        var failure: SystemError?
        for vm in vms {
            do throws(SystemError) {
                try remove(vm)
            } catch {
                failure = failure ?? error
            }
        }
        do throws(SystemError) {
            try isNoted ? () : removed.write(to: store)
        } catch {
            failure = failure ?? error
        }
        return failure
    }

    private func remove(_ vm: Store.VM) throws(SystemError) {
        // Since it was listed a VM with this UUID may have been started again.
        guard store.vm(in: vm.directory).map({ $0.ended == vm.ended }) ?? true, !store.isWritten(vm) else {
            return
        }
        try removeTree(store.path(of: vm.directory))
        usages[vm.directory] = nil
        growths[vm.directory] = nil
        allowances[vm.directory] = nil
    }

    private func removeTree(_ path: String) throws(SystemError) {
        // The files with the identity are removed last: a folder left by a crash can still be identified and removed.
        let metadata: Set<String> = ["vm.json", "meta.json"]
        let names = try store.fileSystem.names(in: path)
        for name in names.filter({ !metadata.contains($0) }) + names.filter(metadata.contains) {
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
