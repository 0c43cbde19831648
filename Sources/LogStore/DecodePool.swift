// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import SystemIO

/// One sealed block to be decoded, by whichever thread comes first.
final class DecodeTask: @unchecked Sendable {
    // Sendable because the result is written by the one thread that has begun the task, before `done` is signalled, and
    // read after that.

    let file: SegmentFile
    let header: BlockHeader
    private let hasBegun = Atomic(false)
    private let isDone = Atomic(false)
    private let done = OneShot()
    private var result: Result<Block?, SystemError> = .success(nil)

    init(_ file: SegmentFile, _ header: BlockHeader) {
        self.file = file
        self.header = header
    }

    /// Claims the task; whether no other thread has.
    func begin() -> Bool { !hasBegun.exchange(true, ordering: .acquiringAndReleasing) }

    var hasEnded: Bool { isDone.load(ordering: .acquiring) }

    /// Decodes the block, after `begin`.
    func run(_ memory: BlockMemory) {
        result = Result { () throws(SystemError) in
            let block = try file.block(header, memory)
            // The records, which are decoded at first use, are needed by every reader of the text.
            _ = block?.records
            return block
        }
        isDone.store(true, ordering: .releasing)
        done.signal()
    }

    /// The block, nil when it is damaged, after waiting for the thread that has begun the task. Call once.
    func value() throws(SystemError) -> Block? {
        done.wait()
        return try result.get()
    }
}

/// Threads that decode blocks ahead of the readers that need them in order, shared by all readers of the process.
final class DecodePool: Sendable {
    /// One thread for each core but the reader's; nil where there is only one core.
    static let shared: DecodePool? = {
        let threads = min(maximumThreads, sysconf(Int32(_SC_NPROCESSORS_ONLN)) - 1)
        return threads > 0 ? DecodePool(threads: threads) : nil
    }()

    /// More threads would wait for the reader, which searches the text.
    private static let maximumThreads = 7

    /// The number of threads that could be started.
    let threads: Int
    private let queue: Queue

    private final class Queue: Sendable {
        private let tasks = Mutex<[DecodeTask]>([])
        private let available = Semaphore()

        func add(_ task: DecodeTask) {
            tasks.withLock { $0.append(task) }
            available.signal()
        }

        /// Waits for a task. nil would end the thread; it is not returned, because each signal follows a task.
        func next() -> DecodeTask? {
            available.wait()
            return tasks.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        }
    }

    private init(threads: Int) {
        let queue = Queue()
        var started = 0
        while started < threads,
            (try? WorkerThread(name: "decode-\(started)", { Self.work(queue) })) != nil
        {
            started += 1
        }
        self.queue = queue
        self.threads = started
    }

    private static func work(_ queue: Queue) {
        let memory = BlockMemory()
        while let task = queue.next() {
            if task.begin() {
                task.run(memory)
            }
        }
    }

    func submit(_ task: DecodeTask) {
        queue.add(task)
    }
}
