// SPDX-License-Identifier: Apache-2.0

import SystemIO

// The limit of all VMs together, and of the disk.
extension Retention {
    /// Brings the store within its total, unless another process does that now. What other processes store is noticed
    /// when this one has stored a part of the total itself; they do the same.
    func enforceTotal() throws(SystemError) -> Freed {
        let lock = try lockFile()
        guard lock.tryLock(number: 0) else {
            return Freed()
        }
        defer { lock.unlock(number: 0) }
        var failure: SystemError?
        if grown.map({ $0 > (total ?? StoreLimits.keptFree) / Self.steps }) ?? true {
            failure = try determineUsages()
            grown = 0
        }
        var freed = Freed()
        // Computed once: removed files may be freed only later.
        if let bound = bound(for: usages.values.reduce(0, +)) {
            freed = try reduce(&usages, to: bound)
        }
        if let failure {
            throw failure
        }
        return freed
    }

    /// Determines the usage of every VM. An error of one VM does not stop the others; the first one is returned.
    private func determineUsages() throws(SystemError) -> SystemError? {
        var failure: SystemError?
        usages.removeAll()
        for vm in try store.vms() {
            do throws(SystemError) {
                usages[vm.directory] = try usage(of: vm.directory, within: 0)
            } catch {
                failure = error.code == SystemError.notFound ? failure : failure ?? error
            }
        }
        return failure
    }

    /// Removes the oldest segments of the VM with the largest usage until all together use at most `bound` bytes, or
    /// nothing more may be removed. Each step takes an `EvictionShare` from the largest VM.
    func reduce(_ usages: inout [String: Int], to bound: Int) throws(SystemError) -> Freed {
        var freed = Freed()
        var failure: SystemError?
        var spent: Set<String> = []
        while true {
            let excess = usages.values.reduce(0, +) - bound
            let left = usages.filter { !spent.contains($0.key) }
            guard let share = EvictionShare.ofLargest(left, excess: excess) else {
                break
            }
            let largest = share.owner
            do throws(SystemError) {
                if let more = try reduce(vm: largest, by: share.bytes, limit: bound) {
                    freed += more
                    usages[largest] = try self.usage(of: largest, within: 0)
                } else {
                    spent.insert(largest)
                }
            } catch {
                if error.code == SystemError.notFound {
                    // Another process has removed the VM.
                    usages[largest] = nil
                } else {
                    failure = failure ?? error
                    spent.insert(largest)
                }
            }
        }
        if let failure {
            throw failure
        }
        return freed
    }

    /// The limit of all VMs together, when it is below `usage`: the total, and less where the disk is nearly full. A
    /// disk that is filled by other programs reduces it by three quarters of the usage at most.
    private func bound(for usage: Int) -> Int? {
        var bound = total.map { $0 - min(reserve, $0 / 2) } ?? .max
        if let space = store.fileSystem.space(at: store.root) {
            let short = min(StoreLimits.keptFree, space.size / 20) - space.free
            bound = min(bound, max(usage - short, (total ?? space.size / 10) / 4))
        }
        return bound < usage ? bound : nil
    }

    /// Disk usage of the reserve: it counts against the total, up to half of it.
    private var reserve: Int { store.fileSystem.status(Reserve.path(in: store.root))?.size ?? 0 }
}
