// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// An error in one file.
struct Fault {
    var path = ""
    var problem: String
    var lost: Range<UInt64>?
    var remedy = Damage.restore
}

/// Checks one segment or boot head: every block, and every byte before, between and after the blocks.
struct SegmentCheck {
    private let file: SegmentFile
    private let base: UInt64

    init(_ file: SegmentFile, base: UInt64) {
        self.file = file
        self.base = base
    }

    /// The readable ranges and the errors. `mayGrow`: it is the last segment, and need not be closed; `pairs`: the
    /// existing pairs, one of which may be in the process of being sealed.
    func run(mayGrow: Bool, pairs: [Range<UInt64>]) throws(SystemError) -> (intact: [IntactRange], faults: [Fault]) {
        var intact: [IntactRange] = []
        var faults: [Fault] = []
        let (headers, others) = try file.walk(from: 0)
        var end = base
        let memory = BlockMemory()
        // nil where a block is missing: what the filter should be is unknown then.
        var filter: SegmentFilterBuilder? = SegmentFilterBuilder()
        for header in headers {
            if header.offset < end || (header.position == headers[0].position && header.offset != base) {
                faults.append(Fault(problem: "the block at byte \(header.position) is out of order"))
                continue
            }
            end = header.end
            let range = header.offset..<header.end
            do throws(SystemError) {
                guard let block = try file.block(header, memory) else {
                    filter = nil
                    let problem = "the text of the block at byte \(header.position) fails its checksum"
                    faults.append(Fault(problem: problem, lost: range))
                    continue
                }
                filter?.add(block.text)
                if header.isRight(for: try file.records(of: header, memory.decompressor)) {
                    intact.append(
                        IntactRange(range: range, beginsWithGap: block.records.first?.flags.contains(.gap) ?? false)
                    )
                } else {
                    intact.append(IntactRange(range: range))
                    faults.append(Fault(problem: "the times of the block at byte \(header.position) are damaged"))
                }
            } catch {
                guard error.isDamagedFile else {
                    throw error
                }
                filter = nil
                let problem = "the block at byte \(header.position) cannot be read: \(error.reason)"
                faults.append(Fault(problem: problem, lost: range))
            }
        }
        let tail = others.last.flatMap { $0.upperBound == file.size ? $0 : nil }
        for other in others where other != tail {
            let before = headers.last { $0.nextPosition <= other.lowerBound }?.end ?? base
            let after = headers.first { $0.position >= other.upperBound }?.offset ?? before
            let problem = "bytes \(other.lowerBound) to \(other.upperBound) of the file are not a block"
            faults.append(Fault(problem: problem, lost: before < after ? before..<after : nil))
        }
        if let problem = try fault(tail, headers, filter, mayGrow: mayGrow, pairs: pairs) {
            faults.append(Fault(problem: problem))
        }
        return (intact, faults)
    }

    /// Checks the bytes after the last block, which must be the index, or `filter` and the index.
    private func fault(
        _ tail: Range<Int>?,
        _ headers: [BlockHeader],
        _ filter: SegmentFilterBuilder?,
        mayGrow: Bool,
        pairs: [Range<UInt64>]
    ) throws(SystemError) -> String? {
        // A block being sealed still has its pair, and has no more bytes than a segment.
        let end = headers.last?.end ?? base
        let isShort = tail?.count ?? 0 <= StoreLimits.usualFileSize
        let isBeingSealed = mayGrow && isShort && pairs.contains { $0.lowerBound == end || $0.contains(end) }
        guard let tail else {
            if headers.isEmpty {
                return isBeingSealed ? nil : "is empty"
            }
            return mayGrow ? nil : "its index is missing"
        }
        var index: [UInt8] = []
        SegmentIndex.append(headers, to: &index)
        // A longer tail is neither, and may be too long to be read.
        let rest = tail.count <= SegmentFilter.frameSize + index.count ? try file.bytes(in: tail) : []
        guard !headers.isEmpty, rest.suffix(index.count) == index[...] else {
            let what = file.isClosed ? "its index is damaged" : "is neither a block nor a complete index"
            return isBeingSealed ? nil : "what lies behind byte \(tail.lowerBound) of the file: \(what)"
        }
        guard rest.count > index.count else {
            return nil
        }
        let known = SegmentFilter(frame: rest.dropLast(index.count))
        let isRight = known != nil && (filter == nil || filter?.filter == known)
        return isRight ? nil : "its filter is damaged"
    }
}

extension BlockHeader {
    /// Whether `records` match this header.
    func isRight(for records: [IndexRecord]?) -> Bool {
        guard let records else {
            return false
        }
        var made = BlockHeader(records: records, base: offset, rawLength: Int(rawLength), checksum: checksum)
        made.frameLength = frameLength
        made.columnsCompressed = columnsCompressed
        made.columnsLength = columnsLength
        made.position = position
        made.payloadLength = payloadLength
        return made == self
    }
}
