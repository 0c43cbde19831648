// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import Synchronization
import SystemIO

/// The capture service: the shards, the writer, the sealer, and the entry point for sources.
///
/// Its life cycle: `start`, after which sources are drained; `awaitStore`, which waits for the disk; `prepareToStop`,
/// while sources are still drained; `finish`, after the sources were closed.
public final class CaptureService: Sendable {
    /// The store.
    public let store: Store
    public let shards: [Shard]
    /// Notified after each commit.
    public let notifier = CommitNotifier()
    /// The current problems.
    public let problems = Problems()
    public let diagnostics: Diagnostics
    public let clock: any HostClock
    /// When a previous process that ended without a handover last drained anything, in microseconds since the Unix
    /// epoch; nil when there was none, or nothing is left of it.
    public let lastTurnBefore: Int64?
    /// Whether a previous process has left in-flight data that cannot be read, because it was in its own memory only when
    /// the folder of the rings was full, or is of another version: how much was lost is unknown.
    public let hasLostBefore: Bool

    let opening: StoreOpening
    let opened = Mutex<Result<StoreOpening.Opened, SystemError>?>(nil)
    let hasOpened = OneShot()
    let isStopping = OneShot()
    /// Whether opening the store is retried after every error.
    let retriesStore = Atomic(false)
    private let sealerMayBegin = OneShot()
    /// The ring folders of this process, its own first. None when it has finished.
    let folders: Mutex<[InflightFolder]>
    private let abandonedRings: [InflightRing]
    let writer: StoreWriter
    private let writerEnded = OneShot()
    let sealer: SealerThread
    /// The limit of all VMs together, in bytes; nil: none. To be called where waiting for the disk is allowed.
    public let totalQuota: @Sendable () -> Int?
    private let sealerEnded = OneShot()
    let statisticsTable = StatisticsTable()
    let recordBudget = RecordBudget(limit: recordMemory)
    /// The open intakes of records.
    let recordIntakes = Mutex<[StreamKey: RecordIntake]>([:])
    /// The streams that have a source now.
    let claims = Claims()
    private let threads = Mutex<(shards: [WorkerThread], writer: WorkerThread?, sealer: WorkerThread?)>(([], nil, nil))

    /// Prepares capture: nothing runs until `start()`, and the store's disk is not touched. Throws EWOULDBLOCK when
    /// another process uses the folder of the rings.
    public init(_ options: Options, diagnostics: Diagnostics) throws(SystemError) {
        clock = options.clock
        totalQuota = options.totalQuota
        self.diagnostics = diagnostics
        store = Store(root: options.store, fileSystem: options.fileSystem)
        opening = StoreOpening(
            store: store,
            isExclusive: options.isExclusive,
            usesOwner: options.usesStoreOwner
        )
        let own = try InflightFolder(options.inflight)
        let abandoned = options.abandoned.compactMap { InflightFolder(abandonedAt: $0) }
        let hostBoot = ProcFile.bootID
        let left = own.takeAbandoned(hostBoot: hostBoot)
        abandonedRings = left.rings + abandoned.flatMap { $0.rings(hostBoot: hostBoot, diagnostics) }
        lastTurnBefore = left.rings.map(\.lastTurn).filter { $0 > 0 }.max()
        hasLostBefore = left.hasLost
        folders = Mutex([own] + abandoned)
        sealer = try SealerThread(
            sealer: Self.sealer(of: store, options, diagnostics),
            clock: clock,
            diagnostics: diagnostics,
            problems: problems
        )
        let rings = try Self.rings(options, number: left.next, hostBoot)
        if !rings.allSatisfy(\.isDurable) {
            let notDurable = "in-flight data is kept in memory, and a crash would lose it"
            let problem = "no room in \(options.inflight): \(notDurable); free space there, then restart guestlog"
            problems.report("in-flight", problem, .warning, to: diagnostics)
        }
        writer = try StoreWriter(
            store: store,
            rings: rings,
            clock: clock,
            diagnostics: diagnostics,
            problems: problems,
            notifier: notifier,
            sealer: sealer,
            hostBoot: hostBoot,
            quota: options.quota,
            fileLimit: DescriptorLimit.raise() / Self.storeShare
        )
        shards = try Self.shards(of: rings, writer, clock)
        // The writer owns the sealer.
        sealer.setFailedSyncAction { [weak writer] in writer?.post { $0.rollAll() } }
        writer.onReleased = { [statisticsTable, claims] in statisticsTable.forget($0, except: claims) }
    }

    private static func sealer(of store: Store, _ options: Options, _ diagnostics: Diagnostics) -> Sealer {
        let retention = Retention(
            store: store,
            total: options.totalQuota(),
            deletedAge: options.deletedAge,
            quota: options.quota
        )
        return Sealer(store: store, retention: retention, clock: options.clock) { error in
            let problem = "cannot compress a part of a log: \(error)"
            diagnostics.log(.error, "\(problem); this part stays uncompressed, later parts are unaffected")
        }
    }

    /// The rings of all shards, in files with that number.
    private static func rings(
        _ options: Options,
        number: Int,
        _ hostBoot: String
    ) throws(SystemError) -> [InflightRing] {
        var rings: [InflightRing] = []
        for shard in 0..<options.shards {
            let ring = try InflightRing(
                path: options.inflight + "/\(number)-\(shard).ring",
                capacity: options.ringCapacity,
                hostBoot: hostBoot,
                store: options.store
            )
            rings.append(ring)
        }
        return rings
    }

    private static func shards(
        of rings: [InflightRing],
        _ writer: StoreWriter,
        _ clock: any HostClock
    ) throws(SystemError) -> [Shard] {
        var shards: [Shard] = []
        for (number, ring) in rings.enumerated() {
            let shard = Shard(
                number: number,
                loop: try EventLoop(clock: clock),
                ring: ring,
                clock: clock,
                wakeWriter: { writer.wake() },
                writerProgress: { writer.pulse.progress }
            )
            shards.append(shard)
        }
        return shards
    }

    /// The divisor of the process's descriptors for the store's files. Half of the descriptors are for consoles
    /// (`ConsoleHub`), a quarter for the API.
    private static let storeShare = 4

    /// Starts the threads that drain the sources, and the one that opens the store. Sources may be opened from now on,
    /// even while the store's disk hangs. With `retryingStore` no error of opening the store is final, as if all were
    /// transient.
    public func start(retryingStore: Bool = false) throws(SystemError) {
        retriesStore.store(retryingStore, ordering: .relaxed)
        var shardThreads: [WorkerThread] = []
        for (number, shard) in shards.enumerated() {
            shardThreads.append(try WorkerThread(name: "gl-shard-\(number)") { shard.loop.run() })
        }
        let writerThread = try WorkerThread(name: "gl-writer") { [self] in
            write()
            writerEnded.signal()
        }
        let sealerThread = try WorkerThread(name: "gl-sealer") { [self] in
            sealerMayBegin.wait()
            if case .success(let opened)? = opened.withLock({ $0 }) {
                opened.owner?.become()
                sealer.run()
            }
            sealer.end()
            sealerEnded.signal()
        }
        threads.withLock { $0 = (shardThreads, writerThread, sealerThread) }
    }

    /// The body of the writer's thread.
    private func write() {
        let result = openStore()
        if case .success(let opened) = result {
            writer.adopt(abandonedRings.filter { $0.belongs(to: opened.identity, at: store.root) })
        }
        sealerMayBegin.signal()
        if case .success = result {
            writer.run()
        }
    }

    /// How long a stop tries to put everything on disk before the sources are closed, in seconds.
    private static let persistLimit = 5
    /// A disk is fast when neither a commit nor a sync has taken longer, in microseconds.
    private static let quick: Int64 = 50_000

    /// Begins to stop, while the sources are still drained: commits what was received by now, syncs it, and ends the
    /// threads that touch the disk. Returns whether they have ended. A disk that hangs delays the return by `limit`
    /// seconds at most, or without limit when that is nil.
    public func prepareToStop(within limit: Int? = nil) -> Bool {
        _ = writer.pulse.takeSlowest()
        if case .success? = opened.withLock({ $0 }) {
            let done = OneShot()
            sealer.whenOnDisk(nil, isUrgent: true) { done.signal() }
            if !done.wait(seconds: min(limit ?? Self.persistLimit, Self.persistLimit)) {
                diagnostics.log(
                    .warning,
                    "the disk is slow: not everything is synced yet; consoles are drained meanwhile"
                )
            }
        }
        isStopping.signal()
        recordIntakes.withLock { Array($0.values) }.forEach { $0.end() }
        sealer.stop()
        guard threads.withLock({ $0.writer != nil }) else {
            // They were not started.
            return true
        }
        // The writer empties the rings while the last sync takes its time.
        let isSealed = sealerEnded.wait(seconds: limit)
        writer.stop()
        return writerEnded.wait(seconds: isSealed ? limit : 1) && isSealed
    }

    /// Ends the threads, after `prepareToStop`, which returned `haveEnded`, and after the sources were closed.
    ///
    /// What was received since then is committed and synced if the disk is fast or the caller can wait (`mayWait`).
    /// Otherwise it stays in the rings, and the next process commits it; a program that does not know the rings
    /// (`isContinuedElsewhere`) gets it committed, not synced: nobody drains the guests meanwhile.
    public func finish(haveEnded: Bool, mayWait: Bool, isContinuedElsewhere: Bool = false) {
        let threads = threads.withLock { threads in
            defer { threads = ([], nil, nil) }
            return threads
        }
        shards.forEach { $0.loop.stop() }
        threads.shards.forEach { $0.join() }
        guard haveEnded else {
            return
        }
        threads.writer?.join()
        threads.sealer?.join()
        guard case .success(let opened)? = opened.withLock({ $0 }) else {
            return writer.removeRings()
        }
        defer { release(mayWait: mayWait || isContinuedElsewhere) }
        let isQuick = max(writer.pulse.takeSlowest(), sealer.syncDuration) < Self.quick
        if isQuick || mayWait || isContinuedElsewhere || !shards.allSatisfy(\.ring.isDurable) {
            FileOwner.perform(as: opened.owner) {
                writer.finish()
                if isQuick || mayWait {
                    sealer.finish()
                    writer.close(isSynced: sealer.isSynced)
                }
            }
        }
        writer.removeRings()
    }

    /// Releases the locks. A process that is being replaced by its own program holds them until its end.
    private func release(mayWait: Bool) {
        guard mayWait else {
            return
        }
        folders.withLock { folders in
            folders.forEach { $0.removeIfEmpty() }
            folders.removeAll()
        }
        opened.withLock { $0 = nil }
    }

    /// Stops, and waits as long as the disk hangs. The caller has closed the sources before.
    public func stop() {
        finish(haveEnded: prepareToStop(), mayWait: true)
    }

    /// How long the writer has been waiting for the store's file system, in microseconds.
    public var writerStuckFor: Int64 { writer.pulse.stuckFor }
}
