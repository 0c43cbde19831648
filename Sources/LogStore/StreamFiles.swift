// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// A reader's view of one stream's files: the listing, and the open files.
final class StreamFiles {
    let layout: StreamLayout
    let fileSystem: any FileSystem
    private let forbidden: ForbiddenFiles?
    private var listing: [StreamLayout.Extent]?
    private var segments: [StreamLayout.Extent: SegmentFile] = [:]
    private var pairs: [UInt64: PairFile] = [:]
    /// Unreadable files and the reasons: they have no blocks until everything is forgotten.
    private(set) var unreadable: [StreamLayout.Extent: SystemError] = [:]
    /// Whether something was left out that this user may not read: what is missing is not lost then.
    private(set) var isIncomplete = false

    /// Maximum number of segments held open by one reader.
    private static let openSegments = 16
    /// Maximum number of pairs held open by one reader: the active one, and those that wait for the sealer.
    private static let openPairs = 8

    init(layout: StreamLayout, fileSystem: any FileSystem, forbidden: ForbiddenFiles? = nil) {
        self.layout = layout
        self.fileSystem = fileSystem
        self.forbidden = forbidden
    }

    func extents() throws(SystemError) -> [StreamLayout.Extent] {
        if let listing {
            return listing
        }
        let found = try list()
        listing = found
        return found
    }

    /// The files in the folder; none when it is left out.
    private func list() throws(SystemError) -> [StreamLayout.Extent] {
        do throws(SystemError) {
            return try layout.extents(on: fileSystem)
        } catch {
            guard leavesOut(error) else {
                throw error
            }
            return []
        }
    }

    private func leavesOut(_ error: SystemError) -> Bool {
        let isLeftOut = forbidden?.add(error) ?? false
        isIncomplete = isIncomplete || isLeftOut
        return isLeftOut
    }

    /// Updates the view; returns whether anything was added.
    func refresh() throws(SystemError) -> Bool {
        let known = listing
        let found = try list()
        listing = found
        if found != known {
            let present = Set(found)
            segments = segments.filter { present.contains($0.key) }
            pairs = pairs.filter { present.contains(.init(base: $0.key, kind: .pair)) }
            unreadable = unreadable.filter { present.contains($0.key) }
        }
        var hasChanged = found != known
        for (base, pair) in pairs {
            let hasGrown = try attempt(.init(base: base, kind: .pair)) { () throws(SystemError) in try pair.refresh() }
            hasChanged = hasGrown ?? false || hasChanged
        }
        for (extent, segment) in segments {
            let hasGrown = try attempt(extent) { () throws(SystemError) in try segment.refresh() }
            hasChanged = hasGrown ?? false || hasChanged
        }
        return hasChanged
    }

    /// The result of reading a file; nil when the file is damaged or left out, which is recorded.
    private func attempt<Result>(
        _ extent: StreamLayout.Extent,
        _ body: () throws(SystemError) -> Result
    ) throws(SystemError) -> Result? {
        guard unreadable[extent] == nil else {
            return nil
        }
        do throws(SystemError) {
            return try body()
        } catch {
            guard error.isDamagedFile || leavesOut(error) else {
                throw error
            }
            unreadable[extent] = error
            return nil
        }
    }

    /// Records that a block could not be read. A pair is skipped as a whole: its records share disk blocks.
    func failed(_ location: BlockLocation, _ error: SystemError) {
        if case .active(let pair, _) = location {
            unreadable[.init(base: pair.base, kind: .pair)] = error
        }
    }

    func forget() {
        segments.removeAll()
        pairs.removeAll()
        unreadable.removeAll()
        listing = nil
    }

    /// Whether that segment's headers are known.
    func isOpen(_ extent: StreamLayout.Extent) -> Bool { segments[extent] != nil }

    func segment(_ extent: StreamLayout.Extent) throws(SystemError) -> SegmentFile {
        if let open = segments[extent] {
            return open
        }
        if segments.count >= Self.openSegments, let oldest = segments.keys.min() {
            segments[oldest] = nil
        }
        let file = try SegmentFile(path: layout.file(extent), fileSystem: fileSystem)
        segments[extent] = file
        return file
    }

    func pair(_ base: UInt64) throws(SystemError) -> PairFile {
        if let open = pairs[base] {
            return open
        }
        if pairs.count >= Self.openPairs, let oldest = pairs.keys.min() {
            pairs[oldest] = nil
        }
        let file = try PairFile(layout, base: base, fileSystem: fileSystem)
        pairs[base] = file
        return file
    }

    // MARK: - Blocks

    /// The blocks at `position`: those that begin before it and end there, and those that begin there or span it. The
    /// same block may be in more than one file: the one with precedence comes first.
    func blocks(at position: UInt64) throws(SystemError) -> (ending: [BlockLocation], holding: [BlockLocation]) {
        var ending: [BlockLocation] = []
        var holding: [BlockLocation] = []
        let candidates = try extents().filter { $0.base <= position }
        for kind in [StreamLayout.Kind.segment, .pair, .head] {
            // Heads may overlap; the last one with any block holds the position, or begins where the one before it
            // ends. A file that a crash emptied has no blocks.
            var left = kind == .head ? Int.max : 2
            for extent in candidates.reversed() where extent.kind == kind && left > 0 {
                let locations = try blocks(of: extent)
                left -= locations.isEmpty ? 0 : 1
                for location in locations {
                    if location.offset < position, location.end == position {
                        ending.append(location)
                    } else if location.offset == position || (location.offset < position && location.end > position) {
                        holding.append(location)
                    }
                }
            }
        }
        return (ending, holding)
    }

    /// All blocks of one file, in order; none of an unreadable file.
    func blocks(of extent: StreamLayout.Extent) throws(SystemError) -> [BlockLocation] {
        try attempt(extent) { () throws(SystemError) in
            guard extent.kind == .pair else {
                let file = try segment(extent)
                return file.headers.map { .sealed(file, $0) }
            }
            let pair = try pair(extent.base)
            return pair.blocks.map { .active(pair, $0) }
        } ?? []
    }

    /// The start of the next block after `position`, or of the next record of an active pair.
    func nextOffset(after position: UInt64) throws(SystemError) -> UInt64? {
        var next: UInt64?
        let extents = try extents()
        for kind in [StreamLayout.Kind.segment, .pair, .head] {
            let ofKind = extents.filter { $0.kind == kind }
            var first = ofKind.firstIndex { $0.base > position } ?? ofKind.count
            // The last extent before the position may span it; one that a crash emptied does not count.
            while first > 0 {
                first -= 1
                if try !blocks(of: ofKind[first]).isEmpty {
                    break
                }
            }
            for extent in ofKind[first...] {
                if let offset = try nextOffset(after: position, in: extent) {
                    next = min(next ?? .max, offset)
                    break
                }
            }
        }
        return next
    }

    private func nextOffset(after position: UInt64, in extent: StreamLayout.Extent) throws(SystemError) -> UInt64? {
        let blocks = try blocks(of: extent)
        if case .active(let pair, _)? = blocks.first, pair.base <= position {
            return pair.records.first { $0.offset > position && !$0.isMarker }?.offset
        }
        return blocks.lazy.map(\.offset).first { $0 > position }
    }
}

/// The location of a block.
enum BlockLocation {
    case sealed(SegmentFile, BlockHeader)
    /// A block of an active pair: a range of its records, which is not empty.
    case active(PairFile, Range<Int>)

    var offset: UInt64 {
        switch self {
        case .sealed(_, let header): header.offset
        case .active(let pair, let range): pair.records[range.lowerBound].offset
        }
    }

    var end: UInt64 {
        switch self {
        case .sealed(_, let header): header.end
        case .active(let pair, let range): pair.records[range.upperBound - 1].end
        }
    }

    var trailingMarkers: Int {
        switch self {
        case .sealed(_, let header): Int(header.trailingMarkers)
        case .active(let pair, let range):
            pair.records[range].reversed().prefix { $0.isMarker && $0.offset == end }.count
        }
    }

    var summary: BlockSummary {
        let header: BlockHeader
        switch self {
        case .sealed(_, let sealed): header = sealed
        case .active(let pair, let range):
            header = BlockHeader(
                records: Array(pair.records[range]),
                base: offset,
                rawLength: Int(end - offset),
                checksum: 0
            )
        }
        return BlockSummary(
            offset: header.offset,
            end: header.end,
            timeRange: header.timeRange,
            ownTime: header.ownTime,
            lines: Int(header.lines),
            flags: header.flags
        )
    }

    /// The records, without the text; nil when they are damaged.
    func records(_ decompressor: Decompressor) throws(SystemError) -> [IndexRecord]? {
        switch self {
        case .sealed(let file, let header): try file.records(of: header, decompressor)
        case .active(let pair, let range): Array(pair.records[range])
        }
    }
}
