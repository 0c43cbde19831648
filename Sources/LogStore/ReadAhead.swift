// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// Has the blocks that a reader needs next decoded by other threads. Used by the reader's thread.
struct ReadAhead {
    private let pool: DecodePool
    private var tasks: [DecodeTask] = []

    init(_ pool: DecodePool) {
        self.pool = pool
    }

    /// Blocks held decoded, or being decoded, at most.
    private var capacity: Int { 2 * pool.threads + 1 }

    /// A block, nil when it is damaged; those that follow it in its file are decoded meanwhile.
    mutating func block(
        _ header: BlockHeader,
        of file: SegmentFile,
        _ memory: BlockMemory
    ) throws(SystemError) -> Block? {
        let own = task(header, of: file)
        request(after: header, of: file)
        if own.begin() {
            own.run(memory)
        }
        // The reader helps while another thread decodes its block.
        while !own.hasEnded, let other = tasks.first(where: { $0.begin() }) {
            other.run(memory)
        }
        return try own.value()
    }

    /// Takes the block's task off those requested before; what precedes it is not needed any more.
    private mutating func task(_ header: BlockHeader, of file: SegmentFile) -> DecodeTask {
        let index = tasks.firstIndex { $0.file === file && $0.header.position == header.position }
        guard let index, tasks[index].header == header else {
            cancel()
            return DecodeTask(file, header)
        }
        for passed in tasks[..<index] {
            _ = passed.begin()
        }
        let found = tasks[index]
        tasks.removeFirst(index + 1)
        return found
    }

    private mutating func request(after header: BlockHeader, of file: SegmentFile) {
        let last = tasks.last?.header ?? header
        guard tasks.count < capacity, tasks.allSatisfy({ $0.file === file }),
            let index = file.headers.lastIndex(where: { $0.position == last.position })
        else {
            return
        }
        for next in file.headers[(index + 1)...].prefix(capacity - tasks.count) {
            let task = DecodeTask(file, next)
            tasks.append(task)
            pool.submit(task)
        }
    }

    /// Gives up what was requested: what has not begun is not decoded.
    mutating func cancel() {
        for task in tasks {
            _ = task.begin()
        }
        tasks.removeAll()
    }
}
