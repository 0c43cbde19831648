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

    /// The position after these records and `later` ones.
    func followed(by later: SourcePosition) -> SourcePosition {
        later.value == nil ? SourcePosition(value: value, length: length + later.length) : later
    }

    /// Finds the last position in `extents`, given in order. Reads from the last extent on, and ends after
    /// `StoreLimits.sourceDistance` bytes without one: no record is longer. Of what follows damage, nothing is the begin
    /// of what the source sends again.
    static func last(
        in extents: some BidirectionalCollection<StreamLayout.Extent>,
        _ layout: StreamLayout,
        on fileSystem: any FileSystem
    ) throws(SystemError) -> SourcePosition {
        let files = StreamFiles(layout: layout, fileSystem: fileSystem)
        let memory = BlockMemory()
        var found = SourcePosition()
        var isDamaged = false
        search: for extent in extents.reversed() where extent.kind != .head {
            for block in try files.blocks(of: extent).reversed() {
                if let records = try block.intactRecords(memory) {
                    found = position(in: records).followed(by: found)
                } else {
                    isDamaged = true
                }
                if found.value != nil || found.length > StoreLimits.sourceDistance {
                    break search
                }
            }
        }
        isDamaged = isDamaged || !files.unreadable.isEmpty
        return isDamaged ? SourcePosition(value: found.value) : found
    }

    private static func position(in records: [IndexRecord]) -> SourcePosition {
        var position = SourcePosition()
        for record in records {
            let detail = record.detail.isEmpty ? nil : RecordDetail(decoding: record.detail)
            position.accept(detail, length: Int(record.length))
        }
        return position
    }
}

extension BlockLocation {
    /// The records; nil when they are damaged, or cannot be read.
    fileprivate func intactRecords(_ memory: BlockMemory) throws(SystemError) -> [IndexRecord]? {
        do throws(SystemError) {
            return try records(memory.decompressor)
        } catch {
            guard error.isDamagedFile else {
                throw error
            }
            return nil
        }
    }
}
