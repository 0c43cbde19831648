// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// Gives the records of one conversation to a guest's log. Records that have no space wait here: of a sender that waits,
/// one piece of its stream; of one that must not wait, what `GuestLog.reserve` allows until the stream is open.
final class RecordIngest {
    /// What happens to records for which the store has no space.
    enum Policy: Hashable {
        /// They wait, and so does the sender.
        case wait
        /// The sender must not wait: they are dropped, and counted in a gap.
        case drop
    }

    /// Records that were dropped between those that wait.
    private struct Loss {
        /// The number of waiting records before them.
        let index: Int
        let reason: GapReason
        var bytes: Int
        var count: Int
    }

    let log: GuestLog
    private let guest: GuestState
    private let policy: Policy
    private unowned let host: any ConversationHost
    private var waiting: ArraySlice<StoredRecord> = []
    private var base: UInt64?
    /// How many of the waiting records wait for the stream to be opened. They are counted in the guest's rate already.
    private var held = 0
    /// Their memory, which the log has reserved.
    private var heldMemory = 0
    private var losses: [Loss] = []
    private var awaitsOpening = false

    /// The memory of a waiting record besides its line: empty lines are limited in number too.
    private static let overhead = 128

    init(_ log: GuestLog, guest: GuestState, policy: Policy, host: any ConversationHost) {
        self.log = log
        self.guest = guest
        self.policy = policy
        self.host = host
    }

    deinit {
        log.release(heldMemory)
        if policy == .drop {
            // The connection has failed.
            drop(after: 0, .overflow)
        }
    }

    /// Whether no record waits.
    var isIdle: Bool { waiting.isEmpty }
    /// The memory of the records that wait, in bytes.
    var memory: Int { waiting.reduce(0) { $0 + $1.line.count + Self.overhead } }

    private static func size(of records: ArraySlice<StoredRecord>) -> Int {
        records.reduce(0) { $0 + $1.line.count + 1 }
    }

    /// Adds records; `advance` gives them to the log. `base`: see `GuestLog.add`.
    func add(_ records: [StoredRecord], base: UInt64? = nil) {
        if waiting.isEmpty {
            waiting = records[...]
        } else {
            waiting.append(contentsOf: records)
        }
        self.base = base
    }

    /// Whether the guest is over its rates. A sender that must not wait is to be asked for no records then.
    var isOverRate: Bool { !guest.allows() }

    /// Counts records over the guest's rate, of `bytes` bytes as they were received, that were not added.
    func omit(_ count: Int, bytes: Int) {
        if count > 0 {
            note(Loss(index: waiting.count, reason: .rateLimit, bytes: bytes, count: count))
        }
    }

    /// Gives what waits to the log; `needsBytes` when the sender may send more.
    func advance() -> ConversationState {
        guard !waiting.isEmpty else {
            return .needsBytes
        }
        guard log.failure == nil else {
            return .ended
        }
        guard log.isOpen else {
            awaitOpening()
            guard policy == .drop else {
                return .blocked
            }
            hold()
            return .needsBytes
        }
        guard policy == .wait else {
            sendOrDrop()
            return .needsBytes
        }
        return give()
    }

    /// Gives what waits to the log when nothing is added any more.
    func finish() -> ConversationState {
        let progress = advance()
        guard progress == .needsBytes else {
            return progress
        }
        return isIdle ? .ended : .blocked
    }

    private func give() -> ConversationState {
        switch log.add(waiting, base: base, onSpace: { [weak self] in self?.host.resume() }) {
        case .accepted:
            spend(waiting)
            waiting = []
            return .needsBytes
        case .full(let index):
            spend(waiting[..<index])
            waiting = waiting[index...]
            return .blocked
        case .ended:
            return .ended
        }
    }

    /// Gives records that must not wait to the log, which counts those that have no space. Losses are noted between the
    /// records.
    private func sendOrDrop() {
        spend(waiting.dropFirst(held))
        var given = 0
        for loss in losses {
            _ = log.add(waiting.dropFirst(given).prefix(loss.index - given), base: base, mayDrop: true) {}
            log.countLoss(loss.reason, bytes: loss.bytes, count: loss.count)
            given = loss.index
        }
        _ = log.add(waiting.dropFirst(given), base: base, mayDrop: true) {}
        log.release(heldMemory)
        (waiting, losses, held, heldMemory) = ([], [], 0, 0)
    }

    private func spend(_ records: ArraySlice<StoredRecord>) {
        guest.spend(bytes: Self.size(of: records), records: records.count)
    }

    // MARK: - Streams that are not open yet

    /// Has the conversation continue when the stream is open, or cannot be opened.
    private func awaitOpening() {
        guard !awaitsOpening else {
            return
        }
        awaitsOpening = true
        log.whenOpen { [weak self] in
            self?.awaitsOpening = false
            self?.host.resume()
        }
    }

    /// Keeps as many of the new records as the log has memory for, and drops the others.
    private func hold() {
        let new = waiting.dropFirst(held)
        let kept = new.prefix { record in
            let memory = record.line.count + Self.overhead
            guard log.acquire(memory) else {
                return false
            }
            heldMemory += memory
            return true
        }
        spend(kept)
        held += kept.count
        drop(after: held, .overflow)
    }

    /// Drops all but the first `count` records.
    private func drop(after count: Int, _ reason: GapReason) {
        let dropped = waiting.dropFirst(count)
        guard !dropped.isEmpty else {
            return
        }
        let later = losses.drop { $0.index < count }
        losses.removeLast(later.count)
        for loss in later {
            note(Loss(index: count, reason: loss.reason, bytes: loss.bytes, count: loss.count))
        }
        note(Loss(index: count, reason: reason, bytes: Self.size(of: dropped), count: dropped.count))
        waiting = waiting.prefix(count)
    }

    /// Keeps a loss with its index, which none before it exceeds; one that no record precedes is marked at once.
    private func note(_ loss: Loss) {
        if loss.index == 0 {
            log.countLoss(loss.reason, bytes: loss.bytes, count: loss.count)
        } else if let last = losses.last, last.index == loss.index, last.reason == loss.reason {
            losses[losses.count - 1].bytes += loss.bytes
            losses[losses.count - 1].count += loss.count
        } else {
            losses.append(loss)
        }
    }
}
