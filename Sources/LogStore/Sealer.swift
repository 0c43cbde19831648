import LogModel
import SystemIO

/// Seals closed pairs, syncs, and keeps the store within bounds. Owned by one low-priority thread per file system,
/// which calls `seal` for each closed pair and `synchronize` about once a second while `isDirty`.
public final class Sealer {
    private let store: Store
    private let compressor = Compressor()
    private var streams: [StreamID: StreamSealer] = [:]
    private let retention: Retention
    private let clock: any HostClock
    private var memory = BlockMemory()

    /// A sealer over `store` that enforces `retention`.
    public init(store: Store, retention: Retention, clock: any HostClock) {
        self.store = store
        self.retention = retention
        self.clock = clock
    }

    /// Whether sealed blocks wait for a sync.
    public var isDirty: Bool { streams.values.contains { $0.isDirty } }

    /// Seals the pair at `base`, then brings the VM within its quota.
    public func seal(_ base: UInt64, of stream: StreamID) throws(SystemError) {
        let sealer = try streamSealer(stream)
        do throws(SystemError) {
            try sealer.seal(base, &memory)
        } catch {
            // Retention may have taken the pair before its turn came.
            guard error.code == SystemError.notFound else {
                throw error
            }
        }
        _ = try retention.enforce(vm: stream.vm, now: Timestamp(microseconds: clock.wallMicroseconds()))
    }

    /// Puts everything on disk and removes the pairs whose blocks are there.
    ///
    /// A failed sync is never retried as success: everything since the last good one is taken back and sealed again,
    /// and the error is thrown.
    public func synchronize() throws(SystemError) {
        do throws(SystemError) {
            try store.fileSystem.synchronizeAll(store.root)
        } catch {
            for (stream, sealer) in streams where sealer.isDirty {
                for base in try sealer.revertUnsynced() {
                    try seal(base, of: stream)
                }
            }
            throw error
        }
        for sealer in streams.values where sealer.isDirty {
            try sealer.confirmSync()
        }
    }

    /// Looks at all VMs, as at the start and once an hour.
    public func enforceRetention() throws(SystemError) -> Retention.Freed {
        try retention.enforceAll(now: Timestamp(microseconds: clock.wallMicroseconds()))
    }

    /// Forgets a stream that is no longer written.
    public func forget(_ stream: StreamID) {
        if streams[stream]?.isDirty == false {
            streams[stream] = nil
        }
    }

    private func streamSealer(_ stream: StreamID) throws(SystemError) -> StreamSealer {
        if let known = streams[stream] {
            return known
        }
        let quota = store.vm(in: stream.vm).map { retention.quota($0.identity).bytes } ?? Quota.standard.bytes
        let sealer = try StreamSealer(
            layout: StreamLayout(path: store.path(of: stream)),
            fileSystem: store.fileSystem,
            compressor: compressor,
            // An eighth of the quota: retention can then always keep at least seven eighths.
            segmentLimit: quota / 8
        )
        streams[stream] = sealer
        return sealer
    }
}
