// SPDX-License-Identifier: Apache-2.0

import Glibc
public import LogModel
import LogStore
import Synchronization
import SystemIO

/// The entry point of one stream of records, from a source that can wait or be read again. To be used by one thread at
/// a time.
///
/// Batches wait in memory, limited in bytes, until the writer commits them. While the store cannot be written none is
/// lost: the writer tries again, and the source waits. A batch is acknowledged when it is committed, and its position
/// with it: after any end of this process the source continues at `resumePosition`. What it sends again from there must
/// have the same bytes.
///
/// A source that cannot wait drops a batch without space, and adds a gap in its place. What such a source added and the
/// writer had not committed is lost with the process.
public final class RecordIntake: Sendable {
    /// What became of an offered batch.
    public enum Offer: Hashable, Sendable {
        /// It will be committed.
        case accepted
        /// There is no space for it now.
        case full
        /// The stream has ended: `append` throws the reason.
        case ended
    }

    private struct State {
        var queue = RecordQueue()
        var opened: Result<[UInt8]?, SystemError>?
        var whenOpened: [@Sendable (Result<[UInt8]?, SystemError>) -> Void] = []
        /// Why the stream itself cannot be opened, which is tried again.
        var obstacle: SystemError?
        var onObstacle: (@Sendable () -> Void)?
        var onSpace: [@Sendable () -> Void] = []
        /// Whether the writer will look at the queue.
        var isScheduled = false
        var isClosed = false
        /// Whether nothing more is committed.
        var isRefused = false
        var end: SystemError?
    }

    public let key: StreamKey
    let options: RecordOptions
    public let statistics: StreamStatistics
    private let interruption: Interruption?
    private let budget: RecordBudget
    private let wakeWriter: @Sendable (StreamKey) -> Void
    private let onClose: @Sendable (StreamKey) -> Void
    private let state = Mutex(State())

    /// Maximum memory of one stream's batches that wait to be committed, in bytes; a single one may be larger.
    static let limit = 4 << 20

    init(
        _ key: StreamKey,
        options: RecordOptions,
        interruption: Interruption?,
        budget: RecordBudget,
        statistics: StreamStatistics,
        wakeWriter: @escaping @Sendable (StreamKey) -> Void,
        onClose: @escaping @Sendable (StreamKey) -> Void
    ) {
        self.key = key
        self.options = options
        self.interruption = interruption
        self.budget = budget
        self.statistics = statistics
        self.wakeWriter = wakeWriter
        self.onClose = onClose
    }

    // MARK: - The source

    /// Calls `body` once, on any thread, when the stream is open: with the position that was committed last, nil when
    /// there is none, and the source starts from its beginning; or with the reason why it cannot be opened. A disk that
    /// is full or hangs delays it.
    public func whenOpened(_ body: @escaping @Sendable (Result<[UInt8]?, SystemError>) -> Void) {
        let result = state.withLock { state in
            let result = state.opened ?? state.end.map { .failure($0) }
            if result == nil {
                state.whenOpened.append(body)
            }
            return result
        }
        if let result {
            body(result)
        }
    }

    /// Waits until the stream is open; returns the position that was committed last. Throws ECANCELED when capture
    /// stops or the source is interrupted before, EINVAL when the stream contains what the options do not say, and the
    /// reason why this stream cannot be opened now, though others may: another process writes it, or its files may not be
    /// read. A store that is full, or whose disk fails, is waited for.
    public func resumePosition() throws(SystemError) -> [UInt8]? {
        let isKnown = try WakeEvent()
        state.withLock { $0.onObstacle = { isKnown.signal() } }
        defer { state.withLock { $0.onObstacle = nil } }
        whenOpened { _ in isKnown.signal() }
        while true {
            let result = state.withLock { state in
                state.opened ?? (state.end ?? state.obstacle).map { .failure($0) }
            }
            if let result {
                return try result.get()
            }
            try wait(for: isKnown)
        }
    }

    /// Waits until `event` is signalled, or earlier. Throws ECANCELED when the source is interrupted.
    private func wait(for event: WakeEvent) throws(SystemError) {
        guard let interruption else {
            return event.sleep(microseconds: nil)
        }
        guard interruption.wait(for: event) else {
            throw Self.stopped(key)
        }
    }

    /// Adds a batch if there is space for it. `onCommitted` is called once, on the writer's thread, when the batch is
    /// committed; never when capture ends before. When the result is `full`, `onSpace` is called once, on any thread,
    /// when another attempt may succeed or the stream has ended. Several may wait at a time.
    public func offer(
        _ batch: RecordBatch,
        onCommitted: @escaping @Sendable () -> Void = {},
        onSpace: (@Sendable () -> Void)? = nil
    ) -> Offer {
        let (result, wakes) = state.withLock { state -> (Offer, Bool) in
            guard state.end == nil else {
                return (.ended, false)
            }
            let cost = RecordQueue.cost(of: batch)
            guard state.queue.size == 0 || state.queue.size + cost <= Self.limit, budget.acquire(cost, for: self) else {
                state.onSpace += onSpace.map { [$0] } ?? []
                return (.full, false)
            }
            state.queue.append(batch, onCommitted: onCommitted)
            defer { state.isScheduled = true }
            return (.accepted, !state.isScheduled)
        }
        if result == .accepted {
            statistics.receive(batch.text.count)
        }
        if wakes {
            wakeWriter(key)
        }
        return result
    }

    /// Adds a batch; waits while there is no space for it. Throws ECANCELED when capture has stopped, or the source is
    /// interrupted while it waits: the batch was not added then.
    public func append(
        _ batch: RecordBatch,
        onCommitted: @escaping @Sendable () -> Void = {}
    ) throws(SystemError) {
        var result = offer(batch, onCommitted: onCommitted)
        if result == .full {
            let hasSpace = try WakeEvent()
            result = offer(batch, onCommitted: onCommitted, onSpace: { hasSpace.signal() })
            while result == .full {
                try wait(for: hasSpace)
                result = offer(batch, onCommitted: onCommitted, onSpace: { hasSpace.signal() })
            }
        }
        if result == .ended {
            throw state.withLock { $0.end } ?? Self.stopped(key)
        }
    }

    /// Counts bytes that the source received and dropped, in the stream's statistics.
    public func countDropped(_ bytes: Int) {
        statistics.receive(bytes)
        statistics.drop(bytes)
    }

    /// Records a loss after the batches added before: records that the source, or the guest that feeds it, had to drop.
    /// `position` is the source's after them, so that a source that is read again does not report them again.
    public func add(_ gap: GapDetail, position: [UInt8]? = nil) {
        change { $0.append(gap, position: position) }
    }

    /// Adds a marker to a console's text, after the batches added before. `position` is the source's after it.
    func add(_ marker: ConsoleMarker, time: Timestamp, position: [UInt8]? = nil) {
        change { $0.append(marker, time: time, position: position) }
    }

    private func change(_ body: (inout RecordQueue) -> Void) {
        let wakes = state.withLock { state in
            guard !state.isRefused else {
                return false
            }
            body(&state.queue)
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
        if wakes {
            wakeWriter(key)
        }
    }

    /// Ends the source's use of the stream; what was added before is still committed.
    public func close() {
        let wasClosed = state.withLock { state in
            state.end = state.end ?? Self.stopped(key)
            defer { state.isClosed = true }
            return state.isClosed
        }
        if !wasClosed {
            onClose(key)
        }
    }

    private static func stopped(_ key: StreamKey) -> SystemError {
        SystemError("store records of", key.description, code: ECANCELED)
    }

    /// Whether its source waits for space.
    var isAwaited: Bool { state.withLock { !$0.onSpace.isEmpty } }

    // MARK: - The writer

    /// What is to be committed next; it stays until `removeFirst`.
    var first: RecordQueue.Item? { state.withLock { $0.queue.first } }

    /// From now on an added batch wakes the writer again. To be called before it looks at the queue.
    func beginTurn() {
        state.withLock { $0.isScheduled = false }
    }

    /// The first item is committed.
    func removeFirst() {
        guard
            let item = state.withLock({ state in
                defer { state.queue.removeFirst() }
                return state.queue.first
            })
        else {
            return
        }
        if case .batch(let batch, let onCommitted) = item {
            onCommitted()
            budget.release(RecordQueue.cost(of: batch))
            spaceReturned()
        }
    }

    /// The stream is open, `position` was committed last.
    func opened(at position: [UInt8]?) {
        finishOpening(.success(position))
    }

    /// The stream could not be opened, and is tried again. An error that every stream would meet is not this one's.
    func openingFailed(_ error: SystemError) {
        guard !Self.storeErrors.contains(error.code) else {
            return
        }
        let onObstacle = state.withLock { state in
            state.obstacle = error
            return state.onObstacle
        }
        onObstacle?()
    }

    private static let storeErrors: Set<Int32> = [
        ENOSPC, EDQUOT, EFBIG, EIO, EROFS, ENODEV, ENXIO, ESTALE, ENOTCONN, ETIMEDOUT, EMFILE, ENFILE, ENOMEM, EINTR,
    ]

    /// Ends the stream, which cannot be opened because of `error`: nothing of what was added will be committed.
    func refuse(_ error: SystemError) {
        end(error)
        let size = state.withLock { state in
            defer { (state.queue, state.isRefused) = (RecordQueue(), true) }
            return state.queue.size
        }
        budget.release(size)
    }

    /// Ends the stream because capture stops. Calls that wait throw `error`, by default ECANCELED.
    func end(_ error: SystemError? = nil) {
        let error = error ?? Self.stopped(key)
        state.withLock { $0.end = $0.end ?? error }
        finishOpening(.failure(error))
        spaceReturned()
    }

    private func finishOpening(_ result: Result<[UInt8]?, SystemError>) {
        let waiting = state.withLock { state in
            state.opened = state.opened ?? result
            state.obstacle = nil
            defer { state.whenOpened = [] }
            return state.whenOpened
        }
        waiting.forEach { $0(result) }
    }

    /// There may be space again.
    func spaceReturned() {
        let onSpace = state.withLock { state in
            defer { state.onSpace = [] }
            return state.onSpace
        }
        onSpace.forEach { $0() }
    }
}
