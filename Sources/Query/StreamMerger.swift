// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// One stream of a query.
final class MergeInput {
    let stream: StreamID
    let source: any StreamEntries
    fileprivate var head: LogEntry?
    /// Whether it had no entry when last asked.
    fileprivate var isExhausted = false

    init(stream: StreamID, source: any StreamEntries) {
        self.stream = stream
        self.source = source
    }

    /// The running maximum of time at the head.
    fileprivate var key: Timestamp { source.runningMaximum }
}

/// The order of the entries of several streams. The entries of one stream always come in its own order.
public enum EntryOrder: Sendable {
    /// By time. A block of each stream is in memory.
    case time
    /// The streams take turns of a block at most. One block is in memory, however many streams there are.
    case turns
}

/// Merges streams: by the running maximum of each stream's time, then by stream, then by position, so that a clock that
/// steps back does not change a stream's own order; or in turns.
struct StreamMerger {
    let order: EntryOrder
    /// The streams, in the order that decides between equal times.
    private(set) var inputs: [MergeInput]
    /// The inputs that may have an entry.
    private var ready: [Int]
    private var current: Int?
    /// The inputs whose entries are wanted; nil: all.
    private var wanted: Set<Int>?
    /// The best head among the others, up to which the current input continues without a comparison.
    private var runnerUp: (key: Timestamp, input: Int)?

    init(_ inputs: [MergeInput], order: EntryOrder = .time) {
        self.inputs = inputs
        self.order = order
        ready = Array(inputs.indices)
    }

    mutating func add(_ input: MergeInput) {
        if wanted == nil {
            ready.append(inputs.count)
        }
        inputs.append(input)
        if order == .time {
            current = nil
        }
    }

    /// The next entry and its input; nil when there is none now. It stays next until it is taken.
    mutating func peek() throws -> (entry: LogEntry, input: Int)? {
        guard order == .time else {
            return try peekInTurns()
        }
        if let current, let entry = try head(current),
            runnerUp.map({ (inputs[current].key, current) < $0 }) ?? true
        {
            return (entry, current)
        }
        return try choose()
    }

    /// Asks all streams again that had no entry.
    mutating func wake() {
        for index in inputs.indices {
            wake(index)
        }
    }

    /// Asks one stream again.
    mutating func wake(_ input: Int) {
        if inputs[input].isExhausted {
            inputs[input].isExhausted = false
            if wanted?.contains(input) ?? true {
                ready.append(input)
            }
        }
        if order == .time {
            current = nil
        }
    }

    /// Returns entries of these inputs only from now on; the others stay where they are.
    mutating func restrict(to inputs: Set<Int>) {
        wanted = inputs
        ready.removeAll { !inputs.contains($0) }
        current = nil
    }

    /// Marks the next entry as processed.
    mutating func consume(_ input: Int) {
        inputs[input].head = nil
    }

    private func head(_ input: Int) throws -> LogEntry? {
        let input = inputs[input]
        if input.head == nil, !input.isExhausted {
            input.head = try input.source.next()
            input.isExhausted = input.head == nil
        }
        return input.head
    }

    /// The next entry of the stream whose turn it is. A turn ends where no block of the stream is in memory.
    private mutating func peekInTurns() throws -> (entry: LogEntry, input: Int)? {
        while !ready.isEmpty {
            let input = current ?? ready[0]
            if current != nil, inputs[input].head == nil, inputs[input].source.releaseFinishedBlock() {
                current = nil
                ready.append(ready.removeFirst())
                continue
            }
            current = input
            if let entry = try head(input) {
                return (entry, input)
            }
            current = nil
            ready.removeFirst()
        }
        return nil
    }

    private mutating func choose() throws -> (entry: LogEntry, input: Int)? {
        var best: (key: Timestamp, input: Int)?
        // An input may throw: then the next call chooses again.
        current = nil
        runnerUp = nil
        for input in ready {
            guard try head(input) != nil else {
                continue
            }
            let candidate = (key: inputs[input].key, input: input)
            if best.map({ candidate < $0 }) ?? true {
                runnerUp = best
                best = candidate
            } else if runnerUp.map({ candidate < $0 }) ?? true {
                runnerUp = candidate
            }
        }
        ready.removeAll { inputs[$0].isExhausted }
        current = best?.input
        guard let best, let head = inputs[best.input].head else {
            return nil
        }
        return (head, best.input)
    }
}
