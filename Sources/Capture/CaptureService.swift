import CLinux
import Glibc
import LogModel
import LogStore
import Synchronization
import SystemIO

/// Which streams have a source: each has one at most.
private final class Claims: Sendable {
    private let keys = Mutex<Set<StreamKey>>([])

    func withLock<Result: Sendable>(_ body: (inout sending Set<StreamKey>) -> sending Result) -> Result {
        keys.withLock(body)
    }
}

/// Capture as a whole: the shards, the writer, the sealer, and the way in for sources.
public final class CaptureService: Sendable {
    /// How capture is set up.
    public struct Options: Sendable {
        /// The store's folder.
        public var store: String
        /// The folder of the in-flight rings; should be on tmpfs.
        public var inflight: String
        /// Epoll threads; by default one per core, four at most.
        public var shards: Int
        /// Bytes of one shard's ring.
        public var ringCapacity: Int
        /// Bytes that all VMs together may take; nil: any number.
        public var totalQuota: Int?
        /// How long a deleted VM's log stays, in microseconds.
        public var deletedAge: Int64
        /// Whose the store is; nil: this process's own. Plain files are this process's in any case.
        public var owner: FileOwner?
        /// The bounds of one VM.
        public var quota: @Sendable (VMIdentity) -> Quota
        /// Where the store lies; tests put one here that fails or hangs.
        public var fileSystem: any FileSystem
        /// What time it is.
        public var clock: any HostClock

        /// Options with everything defaulted.
        public init(store: String, inflight: String) {
            self.store = store
            self.inflight = inflight
            shards = min(4, max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
            ringCapacity = 8 << 20
            totalQuota = nil
            deletedAge = Retention.standardDeletedAge
            quota = { _ in .standard }
            fileSystem = LinuxFileSystem()
            clock = SystemClock()
        }
    }

    /// The store that is written.
    public let store: Store
    /// The epoll threads.
    public let shards: [Shard]
    /// Rung after each commit.
    public let bell = CommitBell()
    /// What is wrong just now.
    public let problems = Problems()
    /// The daemon's own messages.
    public let diagnostics: Diagnostics
    /// What time it is.
    public let clock: any HostClock

    private let owner: FileOwner?
    private let writer: StoreWriter
    private let writerEnded = OneShot()
    private let sealer: SealerThread
    private let streams = Mutex<[StreamKey: StreamStatistics]>([:])
    /// The streams that somebody feeds just now.
    private let claims = Claims()
    private let threads = Mutex<(shards: [WorkerThread], writer: WorkerThread?, sealer: WorkerThread?)>(([], nil, nil))

    /// Prepares capture; nothing runs until `start()`.
    public init(_ options: Options, diagnostics: Diagnostics) throws(SystemError) {
        clock = options.clock
        owner = options.owner
        self.diagnostics = diagnostics
        store = Store(root: options.store, fileSystem: options.fileSystem)
        try Self.makeDirectories(options.store)
        try Self.makeDirectories(options.inflight)
        let hostBoot = Self.hostBoot()
        let retention = Retention(
            store: store,
            total: options.totalQuota,
            deletedAge: options.deletedAge,
            quota: options.quota
        )
        let problems = problems
        sealer = try SealerThread(
            sealer: Sealer(store: store, retention: retention, clock: clock),
            clock: clock,
            diagnostics: diagnostics,
            problems: problems
        )
        let orphans = try Self.orphans(in: options, hostBoot: hostBoot)
        let generation = (orphans.last?.generation ?? 0) + 1
        var rings: [InflightRing] = []
        for number in 0..<options.shards {
            let path = options.inflight + "/\(generation)-\(number).ring"
            rings.append(try InflightRing(path: path, capacity: options.ringCapacity, hostBoot: hostBoot))
        }
        writer = try StoreWriter(
            store: store,
            rings: rings,
            orphans: orphans.map(\.ring),
            clock: clock,
            diagnostics: diagnostics,
            problems: problems,
            bell: bell,
            sealer: sealer,
            hostBoot: hostBoot,
            fileLimit: Self.raiseFileLimit() / 2
        )
        var shards: [Shard] = []
        for ring in rings {
            let writer = writer
            let shard = Shard(
                loop: try EventLoop(clock: clock),
                ring: ring,
                clock: clock,
                wakeWriter: { writer.wake() },
                writerProgress: { writer.pulse.progress }
            )
            shards.append(shard)
        }
        self.shards = shards
        let writer = writer
        sealer.setFailedSyncAction { writer.post { $0.rollAll() } }
    }

    /// Starts all threads.
    public func start() throws(SystemError) {
        let sealer = sealer
        let writer = writer
        let owner = owner
        let sealerThread = try WorkerThread(name: "gl-sealer") {
            owner?.become()
            sealer.run()
        }
        let writerEnded = writerEnded
        let writerThread = try WorkerThread(name: "gl-writer") {
            owner?.become()
            writer.run()
            writerEnded.signal()
        }
        var shardThreads: [WorkerThread] = []
        for (number, shard) in shards.enumerated() {
            shardThreads.append(try WorkerThread(name: "gl-shard-\(number)") { shard.loop.run() })
        }
        threads.withLock { $0 = (shardThreads, writerThread, sealerThread) }
    }

    /// Puts on disk what is there by now, or tries to for five seconds. To be called before the sources are let go: while
    /// it lasts they are drained, and what is left for `stop` to do is little.
    public func persist() {
        let done = OneShot()
        sealer.whenOnDisk(nil) { done.signal() }
        if !done.wait(seconds: 5) {
            diagnostics.say(.warning, "the disk is slow: going on before everything is on it")
        }
    }

    /// Stops all threads: the shards first, then the writer once the rings are empty, then the sealer once all is on
    /// disk. The descriptors of the sources are their owners' to keep or close.
    public func stop() {
        let threads = stopShards()
        writer.stop()
        threads.writer?.join()
        sealer.stop()
        threads.sealer?.join()
        let isSynced = sealer.isSynced
        if let owner {
            owner.perform { writer.close(isSynced: isSynced) }
        } else {
            writer.close(isSynced: isSynced)
        }
        writer.removeRings()
    }

    /// Stops what must be stopped before another image of this program takes over by exec, which ends the threads
    /// wherever they are. What the page cache has is safe then, and what a disk that hangs does not take is in the rings.
    public func stopToHandOver() {
        _ = stopShards()
        writer.stop()
        if writerEnded.wait(seconds: 2) {
            writer.removeRings()
        }
    }

    private func stopShards() -> (writer: WorkerThread?, sealer: WorkerThread?) {
        let threads = threads.withLock { threads in
            defer { threads = ([], nil, nil) }
            return threads
        }
        for shard in shards {
            shard.loop.stop()
        }
        threads.shards.forEach { $0.join() }
        return (threads.writer, threads.sealer)
    }

    /// The shard where a VM's descriptors live: the same one for all of them.
    public func shard(of vm: VMKey) -> Shard {
        shards[Int(vm.name.stableHash() % UInt64(shards.count))]
    }

    /// Why a stream cannot be opened.
    public enum OpenError: Error, CustomStringConvertible {
        /// It is captured another way: once is enough.
        case captured
        /// The name is longer than `StreamKey.maximumName` bytes, or holds a NUL.
        case unusableName
        /// The shard has all the streams it can have.
        case tooManyStreams
        /// The folder of the in-flight rings is full.
        case noMemory(SystemError)

        public var description: String {
            switch self {
            case .captured: "it is captured another way already; it is passed through, not stored twice"
            case .unusableName: "the VM's name is longer than \(StreamKey.maximumName) bytes, or holds a NUL"
            case .noMemory(let error): "no room where what is in flight is kept: \(error)"
            case .tooManyStreams: "\(InflightRing.slotCount) streams are captured on one thread already"
            }
        }
    }

    /// The way in for one stream; to be called, and the result used, on the shard's thread.
    public func open(
        _ key: StreamKey,
        options: StreamOptions,
        on shard: Shard
    ) throws(OpenError) -> StreamIntake {
        guard claims.withLock({ $0.insert(key).inserted }) else {
            throw .captured
        }
        let statistics = streams.withLock { streams in
            let known = streams[key] ?? StreamStatistics()
            streams[key] = known
            return known
        }
        let intake: StreamIntake
        do throws(OpenError) {
            intake = try shard.openIntake(key, options: options, statistics: statistics) { [claims] in
                _ = claims.withLock { $0.remove(key) }
            }
        } catch {
            _ = claims.withLock { $0.remove(key) }
            throw error
        }
        let number = shards.firstIndex { $0 === shard } ?? 0
        let announcement = StreamTable.Announcement(key: key, options: options, statistics: statistics)
        writer.announce(announcement, ring: number, slot: intake.slot)
        return intake
    }

    /// Runs `done`, on the writer's thread, once all that the sources of `shard` have given it by now is committed and in
    /// its plain files. To be called on the shard's thread.
    public func settle(_ shard: Shard, _ done: @escaping @Sendable () -> Void) {
        let number = shards.firstIndex { $0 === shard } ?? 0
        writer.post { [head = shard.ring.head] writer in
            writer.settle(ring: number, upTo: head)
            done()
        }
    }

    /// Marks a VM as deleted: its history stays for `deletedAge`, and the next VM of its name begins a new one.
    public func end(_ vm: VMKey, _ done: @escaping @Sendable (SystemError?) -> Void) {
        writer.post { writer in
            do throws(SystemError) {
                try writer.end(vm)
                done(nil)
            } catch {
                done(error)
            }
        }
    }

    /// The numbers of every stream opened since the start.
    public func statistics() -> [StreamKey: StreamStatistics] {
        streams.withLock { $0 }
    }

    /// How long the store's file system has been keeping the writer waiting, in microseconds.
    public var writerStuckFor: Int64 { writer.pulse.stuckFor }

    // MARK: - Setting up

    static func hostBoot() -> String {
        let file = try? StoredFile("/proc/sys/kernel/random/boot_id", .read, on: LinuxFileSystem())
        let bytes = (try? file?.read(at: 0, count: 64)) ?? []
        return String(decoding: bytes.prefix { $0 != Lines.feed }, as: UTF8.self)
    }

    private static func makeDirectories(_ path: String) throws(SystemError) {
        let fileSystem = LinuxFileSystem()
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/" + part
            if fileSystem.status(made) == nil {
                try fileSystem.makeDirectory(made)
            }
        }
    }

    /// Rings of processes that died, oldest first.
    private static func orphans(
        in options: Options,
        hostBoot: String
    ) throws(SystemError) -> [(generation: Int, ring: InflightRing)] {
        var found: [(generation: Int, ring: InflightRing)] = []
        for name in try LinuxFileSystem().names(in: options.inflight).sorted() where name.hasSuffix(".ring") {
            guard let generation = name.split(separator: "-").first.flatMap({ Int($0) }) else {
                continue
            }
            let path = options.inflight + "/" + name
            found.append((generation, try InflightRing(existing: path, hostBoot: hostBoot)))
        }
        return found.sorted { $0.generation < $1.generation }
    }

    /// Raises the limit of open files as far as it goes; what it is then.
    private static func raiseFileLimit() -> Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Int(clamping: limit.rlim_cur)
    }
}
