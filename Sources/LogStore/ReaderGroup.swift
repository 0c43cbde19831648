// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// Stream readers used by one thread, which share memory and a limit of open files: so many streams can be read at
/// once.
public final class ReaderGroup {
    let memory = BlockMemory()
    private var ahead: ReadAhead?
    /// The block that was decoded last: lines before a match are read several times.
    private var last: (header: BlockHeader, file: ObjectIdentifier, block: Block)?
    /// The readers that may have open files, those used last at the end.
    private var recent: [Member] = []

    private struct Member {
        weak var reader: StreamReader?
    }

    /// Maximum number of readers with open files.
    private static let openReaders = 64

    /// With `readsAhead`, other threads decode the blocks that come next, where there is more than one core: for reading
    /// much text in order.
    public init(readsAhead: Bool = false) {
        ahead = readsAhead ? DecodePool.shared.map(ReadAhead.init) : nil
    }

    deinit {
        ahead?.cancel()
    }

    /// A sealed block, decoded and verified; nil when it is damaged.
    func block(_ header: BlockHeader, of file: SegmentFile) throws(SystemError) -> Block? {
        if let last, last.file == ObjectIdentifier(file), last.header == header {
            return last.block
        }
        last = nil
        guard ahead == nil else {
            return try ahead?.block(header, of: file, memory) ?? nil
        }
        let block = try file.block(header, memory)
        last = block.map { (header, ObjectIdentifier(file), $0) }
        return block
    }

    /// Notes that `reader` uses files; closes those of the reader that was not used for longest, if there are too
    /// many.
    func use(_ reader: StreamReader) {
        guard recent.last?.reader !== reader else {
            return
        }
        recent.removeAll { $0.reader == nil || $0.reader === reader }
        if recent.count >= Self.openReaders {
            recent.removeFirst().reader?.closeFiles()
        }
        recent.append(Member(reader: reader))
    }
}
