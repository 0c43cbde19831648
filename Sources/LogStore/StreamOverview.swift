// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The bounds of one block, known without decoding it.
public struct BlockSummary: Hashable, Sendable {
    public var offset: UInt64
    public var end: UInt64
    public var timeRange: ClosedRange<Timestamp>
    /// The times in the text itself, in streams with a clock of their own.
    public var ownTime: ClosedRange<Timestamp>?
    public var lines: Int
    public var flags: RecordFlags
}

/// What a stream contains, without decoding its text.
extension StreamReader {
    /// The bounds of all blocks that may have entries at or after `since`, in order, without decoding any.
    ///
    /// Closed segments whose file is older than `since` are skipped unopened: a segment's modification time is that of
    /// its latest entry. Of overlapping blocks, as boot heads may be, the later one begins where the earlier one ends.
    public func summaries(since: Timestamp = .distantPast) throws(SystemError) -> [BlockSummary] {
        try overFreshFiles { () throws(SystemError) in
            try collectSummaries(since: since)
        }
    }

    /// The bounds of the blocks that begin in `range`, without boot heads.
    func summaries(in range: Range<UInt64>) throws(SystemError) -> [BlockSummary] {
        try overFreshFiles { () throws(SystemError) in
            _ = try files.refresh()
            let extents = try files.extents().filter { $0.kind != .head && $0.base < range.upperBound }
            // Of those that begin before the range only the last of each kind can reach into it.
            let isBefore = { (extent: StreamLayout.Extent) in extent.base <= range.lowerBound }
            let reaching = [StreamLayout.Kind.segment, .pair].compactMap { kind in
                extents.last { $0.kind == kind && isBefore($0) }
            }
            return try collectSummaries(of: reaching + extents.filter { !isBefore($0) }, since: .distantPast)
                .filter { range.contains($0.offset) }
        }
    }

    private func collectSummaries(since: Timestamp) throws(SystemError) -> [BlockSummary] {
        _ = try files.refresh()
        return try collectSummaries(of: try files.extents(), since: since)
    }

    private func collectSummaries(
        of extents: [StreamLayout.Extent],
        since: Timestamp
    ) throws(SystemError) -> [BlockSummary] {
        var summaries: [BlockSummary] = []
        var covered: UInt64 = 0
        let lastSegment = extents.last { $0.kind == .segment }
        for extent in extents {
            if extent.kind == .segment, extent != lastSegment, !files.isOpen(extent), since > .distantPast,
                let status = files.fileSystem.status(files.layout.file(extent)),
                status.modifiedMicroseconds < since.microseconds
            {
                continue
            }
            for location in try files.blocks(of: extent) where location.end > covered || location.offset >= covered {
                var summary = location.summary
                summary.offset = max(summary.offset, covered)
                summaries.append(summary)
                covered = max(covered, summary.end)
            }
        }
        return summaries
    }

    /// Unreadable files of the stream, as far as they were accessed, and the reasons.
    public var unreadableFiles: [SystemError] {
        files.unreadable.sorted { $0.key < $1.key }.map(\.value)
    }

    /// The records of the block that begins at `summary.offset`, without its text; empty when it is gone or damaged.
    public func records(of summary: BlockSummary) throws(SystemError) -> [IndexRecord] {
        try overFreshFiles { () throws(SystemError) in
            for location in try files.blocks(at: summary.offset).holding {
                if let records = try records(in: location) {
                    return location.offset == summary.offset ? records : records.filter { $0.end > summary.offset }
                }
            }
            return []
        }
    }

    /// The records in `location`; nil when they are damaged.
    private func records(in location: BlockLocation) throws(SystemError) -> [IndexRecord]? {
        do throws(SystemError) {
            return try location.records(decompressor)
        } catch {
            guard error.isDamagedFile else {
                throw error
            }
            return nil
        }
    }

    public func end() throws(SystemError) -> Cursor {
        try overFreshFiles { () throws(SystemError) in
            _ = try files.refresh()
            for extent in try files.extents().reversed() {
                guard let last = try files.blocks(of: extent).last else {
                    continue
                }
                return Self.cursor(after: try records(in: last) ?? [], end: last.end)
            }
            return .start
        }
    }

    /// Runs `body`, again with updated files when a file has vanished.
    private func overFreshFiles<Result>(_ body: () throws(SystemError) -> Result) throws(SystemError) -> Result {
        for _ in 1..<Self.attempts {
            do throws(SystemError) {
                return try body()
            } catch {
                guard error.code == SystemError.notFound else {
                    throw error
                }
                files.forget()
            }
        }
        return try body()
    }
}
