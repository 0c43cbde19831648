// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// The records of one boot, as the boot ids in a stream of records show: it begins with the first record that has its id.
///
/// All records of a boot lie together, or nearly so. So a range of blocks that begins and ends with one id is taken as
/// one boot's, and the number of blocks read grows with the number of boots, not with the size of the stream.
struct BootIDRun: Equatable {
    /// 32 hexadecimal digits.
    var id: String
    /// The position of its first record.
    var offset: UInt64
    /// When the host received that.
    var received: Timestamp
    /// The time of that by the guest's clock, if it has one.
    var start: Timestamp

    /// The boots in the stream of `reader`, in the order of their first records. When a guest changes its boot id so often
    /// that more than `blockLimit` blocks would have to be read, the newest.
    static func runs(in reader: StreamReader, blockLimit: Int = blockLimit) throws -> [BootIDRun] {
        let blocks = try reader.summaries()
        var search = Search(reader: reader, blocks: blocks, limit: blockLimit)
        if !blocks.isEmpty {
            try search.collect(blocks.indices)
        }
        var seen: Set<String> = []
        return search.found.reversed().filter { seen.insert($0.id).inserted }
    }

    /// Maximum number of blocks read for one answer: 64 MiB of text.
    static let blockLimit = 256

    private struct Search {
        let reader: StreamReader
        let blocks: [BlockSummary]
        /// The first record of each run, the newest first.
        var found: [BootIDRun] = []
        private var edges: [Int: (first: BootIDRun, last: BootIDRun)?] = [:]

        private let limit: Int

        init(reader: StreamReader, blocks: [BlockSummary], limit: Int) {
            self.reader = reader
            self.blocks = blocks
            self.limit = limit
        }

        /// Finds the first records of the runs in a range of blocks, the last run first.
        mutating func collect(_ range: Range<Int>) throws {
            guard edges.count < limit, let first = range.first, let last = range.last else {
                return
            }
            let (before, after) = try (edge(first), edge(last))
            if before?.first.id == after?.last.id {
                add(before?.first)
            } else if range.count == 1 {
                try lines(of: first).compactMap(BootIDRun.init).reversed().forEach { add($0) }
            } else {
                let middle = range.lowerBound + range.count / 2
                try collect(middle..<range.upperBound)
                try collect(range.lowerBound..<middle)
            }
        }

        /// A record whose run may have begun earlier: then the earlier one replaces it.
        private mutating func add(_ run: BootIDRun?) {
            guard let run else {
                return
            }
            if found.last?.id == run.id {
                found[found.count - 1] = run
            } else {
                found.append(run)
            }
        }

        private mutating func edge(_ block: Int) throws -> (first: BootIDRun, last: BootIDRun)? {
            if let known = edges[block] {
                return known
            }
            let lines = try lines(of: block)
            let first = lines.lazy.compactMap(BootIDRun.init).first
            let last = lines.reversed().lazy.compactMap(BootIDRun.init).first
            let found = first.flatMap { first in last.map { (first: first, last: $0) } }
            edges.updateValue(found, forKey: block)
            return found
        }

        private func lines(of block: Int) throws -> [RecordLine] {
            try reader.batch(at: Cursor(offset: blocks[block].offset)).map { Array(RecordLines($0)) } ?? []
        }
    }

    private static let name = Array("\"_BOOT_ID\":\"".utf8)
    private static let size = 32

    /// The record of `line`; nil when it has no boot id. In a value the quotes of the name would be escaped.
    private init?(_ line: RecordLine) {
        guard let nameOffset = line.firstOffset(of: Self.name) else {
            return nil
        }
        let digits = line.bytes.dropFirst(nameOffset + Self.name.count).prefix(Self.size)
        guard digits.count == Self.size, digits.allSatisfy({ $0.hexadecimalValue != nil }) else {
            return nil
        }
        id = String(decoding: digits, as: UTF8.self)
        (offset, received, start) = (line.offset, line.received, line.ownTime ?? line.received)
    }
}
