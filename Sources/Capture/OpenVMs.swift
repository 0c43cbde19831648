// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO

/// The VMs open for writing. Lives on the writer's thread.
final class OpenVMs {
    private let store: Store
    private let clock: any HostClock
    private let hostBoot: String
    private let quota: @Sendable (VMIdentity) -> Quota
    private let diagnostics: Diagnostics
    private var open: [VMIdentity: VMStore] = [:]
    /// VMs known by name that have ended, until they are closed, by their folders.
    private var ended: [String: VMStore] = [:]
    /// How many closed streams of a VM are not on disk, and sealed, by its folder: as long as there are any, the VM's
    /// files are not another opener's to repair.
    private var closing: [String: Int] = [:]

    init(
        of store: Store,
        clock: any HostClock,
        hostBoot: String,
        quota: @escaping @Sendable (VMIdentity) -> Quota,
        diagnostics: Diagnostics
    ) {
        self.store = store
        self.clock = clock
        self.hostBoot = hostBoot
        self.quota = quota
        self.diagnostics = diagnostics
    }

    /// The VM's history, if it is open.
    func opened(_ vm: VMIdentity) -> VMStore? { open[vm.withoutAlias] }

    /// The VM's history, opened when it is not. `waits`: as `VMStore` has it.
    func store(of vm: VMIdentity, waits: Bool) throws(SystemError) -> VMStore {
        if let known = opened(vm) {
            let isNamed = known.vm.identity.namespace != nil || vm.namespace == nil
            if known.vm.identity.name != vm.name || !isNamed || known.vm.ended != nil {
                try known.rename(to: vm, now: clock.now, waits: waits)
            }
            return known
        }
        let fresh = try VMStore(
            store: store,
            name: vm.name,
            uuid: vm.uuid,
            namespace: vm.namespace,
            hostBoot: hostBoot,
            now: clock.now,
            pairTarget: quota(vm).pairTarget,
            waits: waits
        )
        open[vm.withoutAlias] = fresh
        return fresh
    }

    /// Marks a VM as deleted. The next one of the name of a VM known by name is another VM. Returns its folder, for
    /// `noteOnDisk` when all of it is on disk.
    func end(_ vm: VMIdentity) throws(SystemError) -> String {
        let ending = try store(of: vm, waits: true)
        try ending.end(at: clock.now)
        let directory = ending.vm.directory
        if vm.withoutAlias.uuid == nil {
            open[vm.withoutAlias] = nil
            ended[directory] = ending
        }
        closing[directory, default: 0] += 1
        return directory
    }

    /// Throws the error that `end` would throw now.
    func checkEnd(of vm: VMIdentity) throws(SystemError) {
        let wasOpen = opened(vm) != nil
        do throws(SystemError) {
            try store(of: vm, waits: true).checkEnd()
        } catch {
            // Other processes take a VM whose lock is held for one that is written, which cannot end.
            if !wasOpen, let unended = open.removeValue(forKey: vm.withoutAlias) {
                close(unended)
            }
            throw error
        }
    }

    // MARK: - Closing

    /// Notes that a stream of the VM is closed. Returns the VM's folder, if it is open, for `noteOnDisk` when all of the
    /// stream is on disk.
    func noteClosed(_ vm: VMIdentity) -> String? {
        guard let directory = opened(vm)?.vm.directory else {
            return nil
        }
        closing[directory, default: 0] += 1
        return directory
    }

    /// Notes that a stream or VM that was closed in `directory` is on disk; returns whether all are.
    func noteOnDisk(in directory: String) -> Bool {
        closing[directory, default: 1] -= 1
        guard closing[directory] == 0 else {
            return false
        }
        closing[directory] = nil
        return true
    }

    /// Closes the VM in `directory`, unless one of its streams was opened since (`hasStreams`), or closed and is not on
    /// disk yet; returns whether it did.
    func closeUnused(_ vm: VMIdentity, in directory: String, hasStreams: Bool) -> Bool {
        guard closing[directory] == nil else {
            return false
        }
        if let past = ended.removeValue(forKey: directory) {
            close(past)
            return true
        }
        guard !hasStreams, opened(vm)?.vm.directory == directory,
            let unused = open.removeValue(forKey: vm.withoutAlias)
        else {
            return false
        }
        close(unused)
        return true
    }

    /// Releases everything. When everything is on disk, no repair will be needed.
    func close(isSynced: Bool) {
        if isSynced {
            open.values.forEach(close)
            ended.values.forEach(close)
        }
        open.removeAll()
        ended.removeAll()
    }

    private func close(_ vm: VMStore) {
        do {
            try vm.closeCleanly()
        } catch {
            diagnostics.log(.warning, "\(vm.vm.identity.name): not closed cleanly: \(error)")
        }
    }
}
