// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// How far the source of a replayable stream had been read, according to the stream's files.
struct SourcePosition: Hashable {
    /// The last committed source position, opaque to the store; nil when no record has one.
    var value: [UInt8]?
    /// Bytes committed after it: the begin of what the source sends again.
    var length = 0

    /// Takes account of a record after all previous ones.
    mutating func accept(_ detail: RecordDetail?, length: Int) {
        if let source = detail?.source {
            self = SourcePosition(value: source)
        } else {
            self.length += length
        }
    }

    /// This position, of later records, after an earlier one.
    func following(_ earlier: SourcePosition) -> SourcePosition {
        value == nil ? SourcePosition(value: earlier.value, length: earlier.length + length) : self
    }

    /// Finds the last position in `extents`, given in order. Reads from the last extent on, and ends after
    /// `StoreLimits.sourceDistance` bytes without one: no record is longer.
    static func last(
        in extents: some BidirectionalCollection<StreamLayout.Extent>,
        _ layout: StreamLayout,
        on fileSystem: any FileSystem
    ) throws(SystemError) -> SourcePosition {
        var found = SourcePosition()
        var memory = BlockMemory()
        for extent in extents.reversed() where found.value == nil && found.length <= StoreLimits.sourceDistance {
            switch extent.kind {
            case .head:
                continue
            case .pair:
                guard let records = try pairRecords(extent.base, layout, fileSystem) else {
                    return found
                }
                found = found.following(position(in: records))
            case .segment:
                guard let file = try SegmentFile.readable(layout.file(extent), on: fileSystem) else {
                    return found
                }
                for header in file.headers.reversed()
                where found.value == nil && found.length <= StoreLimits.sourceDistance {
                    guard let block = (try? file.block(header, Decompressor(), &memory)) ?? nil else {
                        return found
                    }
                    found = found.following(position(in: block.records))
                }
            }
        }
        return found
    }

    private static func position(in records: [IndexRecord]) -> SourcePosition {
        var position = SourcePosition()
        for record in records {
            let detail = record.detail.isEmpty ? nil : RecordDetail(decoding: record.detail)
            position.accept(detail, length: Int(record.length))
        }
        return position
    }

    private static func pairRecords(
        _ base: UInt64,
        _ layout: StreamLayout,
        _ fileSystem: any FileSystem
    ) throws(SystemError) -> [IndexRecord]? {
        do throws(SystemError) {
            return try PairFile(layout, base: base, fileSystem: fileSystem).records
        } catch {
            guard error.isDamagedFile else {
                throw error
            }
            return nil
        }
    }
}
