// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// Seals closed pairs, syncs, and enforces retention. Owned by one low-priority thread for each file system, which
/// calls `seal` for each closed pair and `synchronize` about once a second while `isDirty`.
public final class Sealer {
    private let store: Store
    private let compressor = Compressor()
    private var streams: [StreamID: StreamSealer] = [:]
    /// Those of them that are dirty.
    private var dirty: Set<StreamID> = []
    private let retention: Retention
    private let clock: any HostClock
    private let onSkip: (SystemError) -> Void
    private let memory = BlockMemory()
    private let filters = FilterMemory()
    private let smallestFiltered: Int
    /// A file of the store's file system that is kept open: a newly opened one would not report earlier write errors.
    private var lock: StoredFile?

    /// Segments of at least `smallestFiltered` bytes, by default 256 KiB, get a filter. `onSkip` is told why a pair stays
    /// unsealed for good.
    public init(
        store: Store,
        retention: Retention,
        clock: any HostClock,
        smallestFiltered: Int? = nil,
        onSkip: @escaping (SystemError) -> Void = { _ in }
    ) {
        self.smallestFiltered = smallestFiltered ?? SegmentFilter.smallestSegment
        self.onSkip = onSkip
        self.store = store
        self.retention = retention
        self.clock = clock
    }

    /// Whether sealed blocks wait for a sync, or pairs for a retry.
    public var isDirty: Bool { !dirty.isEmpty }

    /// Seals the pair at `base`, then brings the VM within its quota. What cannot be sealed now is retried by
    /// `synchronize`.
    public func seal(_ base: UInt64, of stream: StreamID) throws(SystemError) {
        let sealer = streamSealer(stream)
        let log = StreamLayout(path: store.path(of: stream)).log(base)
        let size = max(StoreLimits.blockLimit, store.fileSystem.status(log)?.diskUsage ?? 0)
        // The quota is enforced even when sealing fails: the freed space may be what sealing needs.
        let failure = attempt { () throws(SystemError) in try sealer.seal(base, memory) }
        noteWork(of: sealer, stream)
        _ = try retention.enforce(vm: stream.vm, grownBy: size, now: clock.now)
        if let failure {
            throw failure
        }
    }

    /// Syncs everything and removes the pairs of the synced blocks. Returns the error of a pair that could not be
    /// sealed or removed: it is retried at the next call.
    ///
    /// A failed sync never counts as success later: everything since the last successful one is reverted and sealed
    /// again, and the error is thrown.
    @discardableResult
    public func synchronize() throws(SystemError) -> SystemError? {
        let failedSync = attempt { () throws(SystemError) in try synchronizeAll() }
        var failure: SystemError?
        for stream in dirty {
            guard let sealer = streams[stream] else {
                continue
            }
            let own = attempt { () throws(SystemError) in
                if failedSync == nil {
                    try sealer.confirmSync()
                } else {
                    try sealer.revertUnsynced()
                }
                try sealer.sealWaiting(memory)
            }
            noteWork(of: sealer, stream)
            failure = failure ?? own
        }
        if let failedSync {
            throw failedSync
        }
        return failure
    }

    private func noteWork(of sealer: StreamSealer, _ stream: StreamID) {
        if sealer.isDirty {
            dirty.insert(stream)
        } else {
            dirty.remove(stream)
        }
    }

    private func synchronizeAll() throws(SystemError) {
        if lock == nil {
            lock = try StoredFile(store.lockPath, .create, on: store.fileSystem)
        }
        try lock?.synchronizeAll()
    }

    private func attempt(_ body: () throws(SystemError) -> Void) -> SystemError? {
        do throws(SystemError) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    /// Checks all VMs, as at the start and once an hour; one process does that for all.
    public func enforceRetention() throws(SystemError) -> Retention.Freed {
        try retention.enforceAll(now: clock.now)
    }

    /// Removes on request what exceeds `limits`.
    public func vacuum(_ vms: [Store.VM], to limits: VacuumLimits) throws(SystemError) -> Retention.Freed {
        try retention.vacuum(vms, to: limits, now: clock.now)
    }

    /// Forgets a stream that is not written any more, when nothing of it waits; returns whether it was forgotten.
    public func forget(_ stream: StreamID) -> Bool {
        guard !dirty.contains(stream) else {
            return false
        }
        streams[stream] = nil
        return true
    }

    /// Forgets how much a VM has grown that is not written any more.
    public func forget(vm directory: String) {
        retention.forget(vm: directory)
    }

    private func streamSealer(_ stream: StreamID) -> StreamSealer {
        if let known = streams[stream] {
            return known
        }
        let quota = store.vm(in: stream.vm).map { retention.quota($0.identity).bytes } ?? Quota.default.bytes
        let sealer = StreamSealer(
            layout: StreamLayout(path: store.path(of: stream)),
            fileSystem: store.fileSystem,
            compressor: compressor,
            filters: filters,
            smallestFiltered: smallestFiltered,
            // An eighth of the quota: retention can then always keep at least seven eighths.
            segmentLimit: quota / 8,
            clock: clock,
            onSkip: onSkip
        )
        streams[stream] = sealer
        return sealer
    }
}
