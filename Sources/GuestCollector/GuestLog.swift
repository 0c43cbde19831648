// SPDX-License-Identifier: Apache-2.0

import Capture
import GuestChannel
import LogModel
import LogStore
import SystemIO

/// One stream of a guest's records in the store, for all its connections. Lives on the collector's loop.
///
/// Its source position is the table of the sequences' last numbers, so each numbered record is stored once, whatever
/// ends: this process, the agent, or a connection in the middle.
final class GuestLog {
    /// What has become of records.
    enum AddResult: Hashable {
        /// All will be committed, or are stored already.
        case accepted
        /// There is no space for the records from this index on. `onSpace` is called when there may be.
        case full(Int)
        /// The store does not accept the stream.
        case ended
    }

    let key: StreamKey
    private let intake: RecordIntake
    private unowned let loop: EventLoop
    private let clock: any HostClock
    /// The numbers up to the last record that was given to the intake.
    private var accepted = SequenceTable()
    /// The numbers up to the last record that is committed.
    private(set) var committed = SequenceTable()
    private var opened: Result<Void, SystemError>?
    private var whenOpened: [() -> Void] = []
    private var observers: [ObjectIdentifier: () -> Void] = [:]
    /// The number of batches that were given to the intake, and of those that are committed.
    private(set) var givenBatches = 0
    private(set) var committedBatches = 0
    /// Records that were stored already.
    private(set) var repeats = 0

    /// Opens the stream. Throws when another source feeds it.
    init(_ key: StreamKey, capture: CaptureService, loop: EventLoop) throws(CaptureService.OpenError) {
        self.key = key
        self.loop = loop
        clock = capture.clock
        intake = try capture.openRecords(key, options: RecordOptions(clock: .own, isReplayable: true))
        let opening = Opening(log: self)
        intake.whenOpened { result in
            opening.loop.post { opening.log?.finishOpening(result) }
        }
    }

    /// Carries the log to the loop's thread, on which alone it is used.
    private final class Opening: @unchecked Sendable {
        weak var log: GuestLog?
        let loop: EventLoop

        init(log: GuestLog) {
            self.log = log
            loop = log.loop
        }
    }

    private func finishOpening(_ result: Result<[UInt8]?, SystemError>) {
        if case .success(let position) = result {
            accepted = SequenceTable(decoding: position)
            committed = accepted
        }
        opened = result.map { _ in }
        let waiting = whenOpened
        whenOpened = []
        waiting.forEach { $0() }
    }

    /// Runs `body` when the stream is open or cannot be opened, at once when that is known. A disk that hangs delays it.
    func whenOpen(_ body: @escaping () -> Void) {
        if opened == nil {
            whenOpened.append(body)
        } else {
            body()
        }
    }

    var isOpen: Bool { (try? opened?.get()) != nil }

    /// Why the stream cannot be opened; nil when it can, or that is not known yet.
    var failure: SystemError? {
        if case .failure(let error)? = opened { error } else { nil }
    }

    /// Calls `body` after each commit, until `observer` is removed.
    func observe(_ observer: AnyObject, _ body: @escaping () -> Void) {
        observers[ObjectIdentifier(observer)] = body
    }

    func removeObserver(_ observer: AnyObject) {
        observers[ObjectIdentifier(observer)] = nil
    }

    func close() {
        endLoss()
        intake.close()
    }

    // MARK: - Records

    /// Adds `records`, of an open stream, that arrived together. Those that are stored already are left out. `base` is
    /// the number up to which the sender knows its records to be stored, if its numbers have no gaps: what is missing is
    /// a loss then. A log that must not wait drops what has no space (`mayDrop`), as a gap.
    func add(
        _ records: ArraySlice<StoredRecord>,
        base: UInt64? = nil,
        mayDrop: Bool = false,
        onSpace: @escaping () -> Void
    ) -> AddResult {
        var next = records.startIndex
        while next < records.endIndex {
            var table = accepted
            var batch = RecordBatch(received: clock.now)
            let first = next
            fill(&batch, from: records, &next, &table, base)
            guard batch.count > 0 else {
                continue
            }
            // The table is limited to what the store allows for a position.
            try? batch.setPosition(table.encoded)
            if let loss {
                batch.addLoss(loss.closing)
            }
            switch intake.offer(batch, onCommitted: commitNotice(table), onSpace: mayDrop ? nil : notice(onSpace)) {
            case .accepted:
                givenBatches += 1
                accepted = table
                forgetLoss()
            case .full where mayDrop:
                accepted = table
                countLoss(.overflow, bytes: batch.text.count, count: batch.count)
            case .full:
                return .full(first)
            case .ended:
                return .ended
            }
        }
        return .accepted
    }

    /// Fills a batch from `records[next...]`. Ends before a loss, whose marker has to follow the batch.
    private func fill(
        _ batch: inout RecordBatch,
        from records: ArraySlice<StoredRecord>,
        _ next: inout Int,
        _ table: inout SequenceTable,
        _ base: UInt64?
    ) {
        while next < records.endIndex {
            let record = records[next]
            if let number = record.number {
                guard number.value > base ?? 0, !table.contains(number) else {
                    repeats += 1
                    next += 1
                    continue
                }
                let missing = base.map { number.value - max(table[number.sequence] ?? 0, $0) - 1 } ?? 0
                if missing > 0 || record.lost > 0 {
                    guard batch.count == 0 else {
                        return
                    }
                    table.set(number.sequence, to: number.value - 1)
                    for (reason, count) in [(GapReason.agentOverflow, missing), (.kernelOverwrote, record.lost)]
                    where count > 0 {
                        let gap = GapDetail(reason: reason, bytes: nil, lines: count, since: clock.now, isClosed: true)
                        batch.addLoss(gap, position: table.encoded)
                    }
                }
            }
            do throws(RecordError) {
                guard try batch.append(record.line, ownTime: record.time) else {
                    return
                }
            } catch {
                // Not reached: a record is cut to what a batch holds, and has no line feed.
                next += 1
                continue
            }
            if let number = record.number {
                table.set(number)
            }
            next += 1
        }
    }

    // MARK: - Losses

    /// The loss that goes on, until a record is stored again or nothing was lost for a while.
    private var loss: OpenLoss?
    private var lossTimer: EventLoop.TimerToken?

    /// Counts `count` records of `bytes` bytes that were dropped.
    func countLoss(_ reason: GapReason, bytes: Int, count: Int) {
        let monotonic = clock.monotonicMicroseconds()
        if loss?.reason != reason {
            endLoss()
            loss = OpenLoss(reason, since: clock.now, at: monotonic)
            watchLoss()
        }
        intake.countDropped(bytes)
        loss?.count(bytes: bytes, records: count, at: monotonic)
        markLoss()
    }

    private func markLoss() {
        if let gap = loss?.takeMarker(at: clock.monotonicMicroseconds()) {
            intake.add(gap)
        }
    }

    private func watchLoss() {
        lossTimer = loop.schedule(afterMicroseconds: OpenLoss.quietInterval) { [weak self] in
            guard let self, let loss else {
                return
            }
            if loss.isQuiet(at: clock.monotonicMicroseconds()) {
                endLoss()
            } else {
                markLoss()
                watchLoss()
            }
        }
    }

    private func endLoss() {
        if let loss {
            intake.add(loss.closing)
            forgetLoss()
        }
    }

    private func forgetLoss() {
        loss = nil
        if let lossTimer {
            loop.cancel(lossTimer)
        }
        lossTimer = nil
    }

    // MARK: - Memory

    /// Maximum memory of the records that wait for the stream to be opened, of all connections together, in bytes: as
    /// much as the intake takes when it is open.
    private static let openingLimit = 4 << 20
    private var openingMemory = 0

    /// Acquires memory for a record that waits for the stream to be opened; returns whether there is enough.
    func acquire(_ size: Int) -> Bool {
        guard openingMemory + size <= Self.openingLimit else {
            return false
        }
        openingMemory += size
        return true
    }

    /// Releases such memory.
    func release(_ size: Int) {
        openingMemory -= size
    }

    private func commitNotice(_ table: SequenceTable) -> @Sendable () -> Void {
        let notice = Opening(log: self)
        return { notice.loop.post { notice.log?.noteCommit(table) } }
    }

    private func noteCommit(_ table: SequenceTable) {
        committed = table
        committedBatches += 1
        observers.values.forEach { $0() }
    }

    /// Carries a continuation to the loop's thread, on which alone it runs.
    private final class Notice: @unchecked Sendable {
        let loop: EventLoop
        let body: () -> Void

        init(_ loop: EventLoop, _ body: @escaping () -> Void) {
            self.loop = loop
            self.body = body
        }
    }

    private func notice(_ body: @escaping () -> Void) -> @Sendable () -> Void {
        let notice = Notice(loop, body)
        return { notice.loop.post { notice.body() } }
    }
}
