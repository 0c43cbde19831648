// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// Keeps the store within its limits: removes the oldest segment of the largest stream of the VM concerned.
///
/// Of each stream the newest extent stays, so that data being written is never removed, and the oldest is removed
/// first, so that there are no holes; boot heads are removed last. Owned by the sealer's thread.
public final class Retention {
    let store: Store
    let compressor = Compressor()
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
            let more = try reduce(vm: vm.directory, by: usage - quota.bytes + step, limit: quota.bytes)
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
}

extension Retention.Freed {
    static func += (total: inout Self, more: Self) {
        total.bytes += more.bytes
        total.files += more.files
    }
}
