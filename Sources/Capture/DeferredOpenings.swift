// SPDX-License-Identifier: Apache-2.0

/// Streams without a byte, whose files in the store are created when the writer has nothing better to do: a host that
/// starts hundreds of VMs at once must not delay the bytes of those that run. Times are monotonic microseconds.
struct DeferredOpenings {
    /// Streams opened in a turn without other work.
    static let perIdleTurn = 4
    /// While there is other work one stream is opened at this interval, so that none waits for ever.
    static let interval: Int64 = 20_000

    private var waiting: [StreamSink] = []
    private var lastOpening: Int64 = 0

    var isEmpty: Bool { waiting.isEmpty }

    mutating func add(_ sink: StreamSink) {
        if !waiting.contains(where: { $0 === sink }) {
            waiting.append(sink)
        }
    }

    /// The streams to be opened now: those of them that are still without files.
    mutating func take(at now: Int64, isBusy: Bool, all: Bool) -> [StreamSink] {
        guard !waiting.isEmpty, all || !isBusy || now - lastOpening >= Self.interval else {
            return []
        }
        waiting.removeAll { $0.writer != nil }
        let due = waiting.prefix(all ? .max : isBusy ? 1 : Self.perIdleTurn)
        waiting.removeFirst(due.count)
        lastOpening = due.isEmpty ? lastOpening : now
        return Array(due)
    }

    /// Forgets a stream; whether it was waiting.
    mutating func remove(_ sink: StreamSink) -> Bool {
        let place = waiting.firstIndex { $0 === sink }
        if let place {
            waiting.remove(at: place)
        }
        return place != nil
    }
}
