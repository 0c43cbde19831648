// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO

extension CaptureService {
    /// How capture works.
    public struct Options: Sendable {
        public var store: String
        /// The folder of the in-flight rings; should be on tmpfs. One process uses it at a time.
        public var inflight: String
        /// Other such folders: rings that ended processes left there for this store are recovered too.
        public var abandoned: [String]
        /// The number of epoll threads; by default one per core, at most four.
        public var shards: Int
        /// Size of one shard's ring, in bytes.
        var ringCapacity: Int
        /// The limit of all VMs together, in bytes; nil: none. Called once, on a thread that may wait for the disk.
        public var totalQuota: @Sendable () -> Int?
        /// How long a deleted VM's log is kept, in microseconds.
        public var deletedAge: Int64
        /// Whether no other process of this kind may serve the store meanwhile.
        public var isExclusive: Bool
        /// Whether files belong to the owner of the store's folder, when this process is root. Plain files always
        /// belong to this process's user.
        public var usesStoreOwner: Bool
        /// The limits of one VM.
        public var quota: @Sendable (VMIdentity) -> Quota
        /// The file system of the store; tests use one that fails or hangs.
        public var fileSystem: any FileSystem
        public var clock: any HostClock

        public init(store: String, inflight: String) {
            self.store = store
            self.inflight = inflight
            abandoned = []
            shards = min(4, max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
            ringCapacity = 8 << 20
            totalQuota = { nil }
            deletedAge = Retention.defaultDeletedAge
            isExclusive = false
            usesStoreOwner = false
            quota = { _ in .default }
            fileSystem = LinuxFileSystem()
            clock = SystemClock()
        }
    }
}
