// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// Gives the records of one conversation to a guest's log, within the guest's rate. Records that have no space wait here:
/// one piece of the stream's, so their memory is limited.
final class RecordIngest {
    /// What happens to records beyond the guest's rate, and to those for which the store has no space.
    enum Policy: Hashable {
        /// The sender keeps them meanwhile: they wait.
        case wait
        /// The sender must not wait: they are dropped, and counted in a gap.
        case drop
    }

    let log: GuestLog
    private let guest: GuestState
    private let policy: Policy
    private unowned let host: any ConversationHost
    private var waiting: ArraySlice<StoredRecord> = []
    private var base: UInt64?

    /// The delay after which a guest over its rate is checked again, in microseconds.
    private static let rateInterval: Int64 = 250_000

    init(_ log: GuestLog, guest: GuestState, policy: Policy, host: any ConversationHost) {
        self.log = log
        self.guest = guest
        self.policy = policy
        self.host = host
    }

    /// Maximum number of records that wait for the stream to be opened, of a sender that must not wait.
    private static let openingLimit = 10_000

    /// Whether no record waits.
    var isIdle: Bool { waiting.isEmpty }

    /// Adds records; `advance` gives them to the log. `base`: see `GuestLog.add`.
    func add(_ records: [StoredRecord], base: UInt64? = nil) {
        if waiting.isEmpty {
            waiting = records[...]
        } else {
            waiting.append(contentsOf: records)
        }
        self.base = base
    }

    /// Gives what waits to the log; `needsBytes` when nothing waits any more.
    func advance() -> Progress {
        guard !waiting.isEmpty else {
            return .needsBytes
        }
        guard log.isOpen else {
            guard log.failure == nil else {
                return .over
            }
            log.whenOpen { [weak self] in self?.host.resume() }
            guard policy == .drop else {
                return .blocked
            }
            if waiting.count > Self.openingLimit {
                drop()
            }
            return .needsBytes
        }
        guard guest.allows() else {
            return overRate()
        }
        let size = waiting.reduce(0) { $0 + $1.line.count + 1 }
        let before = waiting.count
        let result = log.add(waiting, base: base, mayDrop: policy == .drop) { [weak self] in self?.host.resume() }
        switch result {
        case .accepted:
            guest.spend(bytes: size, records: before)
            waiting = []
            return .needsBytes
        case .full(let index):
            let given = waiting[..<index]
            guest.spend(bytes: given.reduce(0) { $0 + $1.line.count + 1 }, records: given.count)
            waiting = waiting[index...]
            return .blocked
        case .ended:
            return .over
        }
    }

    private func overRate() -> Progress {
        guard policy == .drop else {
            host.schedule(afterMicroseconds: Self.rateInterval) { [weak self] in self?.host.resume() }
            return .blocked
        }
        drop()
        return .needsBytes
    }

    private func drop() {
        log.markOverRate(bytes: waiting.reduce(0) { $0 + $1.line.count + 1 }, count: waiting.count)
        guest.countDropped(waiting.count)
        waiting = []
    }
}
