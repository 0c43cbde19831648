// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// Readable positions of one file.
struct IntactRange {
    var range: Range<UInt64>
    /// Whether a gap marker precedes the first byte: the positions jump there.
    var beginsWithGap = false
}

/// Checks the files of one stream, and whether any is missing.
struct StreamCheck {
    let id: StreamID
    let layout: StreamLayout
    let fileSystem: any FileSystem
    /// Whether a process writes the VM: the last pair may end with an incomplete write.
    let isWritten: Bool
    /// The stream's end when it was closed cleanly.
    let end: Cursor

    private(set) var damages: [Damage] = []
    private var intact: [IntactRange] = []
    /// The ranges of the segments' readable blocks.
    private var sealed: [Range<UInt64>] = []

    init(id: StreamID, layout: StreamLayout, fileSystem: any FileSystem, isWritten: Bool, end: Cursor) {
        self.id = id
        self.layout = layout
        self.fileSystem = fileSystem
        self.isWritten = isWritten
        self.end = end
    }

    var textBytes: UInt64 {
        var (bytes, covered): (UInt64, UInt64) = (0, 0)
        for range in intact.map(\.range).sorted(by: { $0.lowerBound < $1.lowerBound }) {
            bytes += max(covered, range.upperBound) - max(covered, range.lowerBound)
            covered = max(covered, range.upperBound)
        }
        return bytes
    }

    private func path(_ file: String) -> String { id.folder + "/" + (file.split(separator: "/").last ?? "") }

    mutating func run() throws(SystemError) {
        if let damage = Damage(id.folder, insteadOfFolder: fileSystem.status(layout.path), lost: 0..<end.offset) {
            damages.append(damage)
            return
        }
        let names: [String]
        do throws(SystemError) {
            names = try fileSystem.names(in: layout.path)
        } catch {
            guard error.isDamagedFile || error.code == SystemError.notFound else {
                throw error
            }
            let what = error.code == SystemError.notFound ? "is missing" : "cannot be read: \(error.reason)"
            damages.append(Damage(id.folder, what, lost: 0..<end.offset, remedy: Damage.rewritten))
            return
        }
        try checkMetadata(layout.metadata, remedy: Damage.rewritten + "; until then the log is read as a console's")
        let extents = names.compactMap(StreamLayout.extent(named:)).sorted()
        let segments = extents.filter { $0.kind == .segment }
        let logs = Set(extents.filter { $0.kind == .pair }.map(\.base))
        let indexes = Set(names.compactMap(StreamLayout.base(ofIndexNamed:)))
        let pairs = logs.union(indexes).sorted()
        let ranges = pairs.map { base in
            let size = fileSystem.status(layout.log(base))?.size ?? 0
            return base..<base + UInt64(min(size, StoreLimits.pairLimit))
        }
        for segment in segments {
            let whole = ranges.filter { logs.contains($0.lowerBound) && indexes.contains($0.lowerBound) }
            try checkSegment(segment, isLast: segment == segments.last, pairs: whole)
        }
        sealed = intact.map(\.range)
        for (base, range) in zip(pairs, ranges) where !isSealed(range) {
            let isLast = base == pairs.last && base >= segments.last?.base ?? 0
            let check = PairCheck(layout: layout, base: base, fileSystem: fileSystem, isGrowing: isWritten && isLast)
            let found = try check.run(
                hasLog: logs.contains(base),
                hasIndex: indexes.contains(base),
                isWritten: isWritten
            )
            intact += found.intact
            damages += found.faults.map { Damage(path($0.path), $0.problem, lost: $0.lost, remedy: $0.remedy) }
        }
        for head in extents where head.kind == .head {
            try checkSegment(head, isLast: false, pairs: [])
        }
        try checkCoverage(oldest: extents.first { $0.kind != .head }?.base ?? 0, pairs: ranges)
    }

    /// Whether the blocks of a pair are in segments: then it remains from an interrupted removal.
    private func isSealed(_ pair: Range<UInt64>) -> Bool {
        sealed.contains { $0.lowerBound == pair.lowerBound || $0.contains(pair.lowerBound) }
            && Self.uncovered(pair, sealed.map { IntactRange(range: $0) }).isEmpty
    }

    private mutating func checkMetadata(_ file: String, isNeeded: Bool = true, remedy: String) throws(SystemError) {
        switch try MetadataFile.contents(of: file, on: fileSystem) {
        case .metadata(_, false): damages.append(Damage(path(file), "does not agree with its checksum", remedy: remedy))
        case .metadata: break
        case .unreadable(let reason): damages.append(Damage(path(file), reason, remedy: remedy))
        case .absent where isNeeded: damages.append(Damage(path(file), "is missing", remedy: remedy))
        case .absent: break
        }
    }

    private mutating func checkSegment(
        _ extent: StreamLayout.Extent,
        isLast: Bool,
        pairs: [Range<UInt64>]
    ) throws(SystemError) {
        let file = layout.file(extent)
        do throws(SystemError) {
            let check = try SegmentCheck(SegmentFile(path: file, fileSystem: fileSystem), base: extent.base)
            let found = try check.run(mayGrow: isLast && extent.kind == .segment, pairs: pairs)
            intact += found.intact
            damages += found.faults.map { Damage(path(file), $0.problem, lost: $0.lost) }
        } catch {
            // A file that vanished meanwhile is reported below, if it must exist.
            guard error.isDamagedFile || error.code == SystemError.notFound else {
                throw error
            }
            if error.isDamagedFile {
                damages.append(Damage(path(file), "cannot be read: \(error.reason)"))
            }
        }
    }

    // MARK: - What must be there

    private mutating func checkCoverage(oldest: UInt64, pairs: [Range<UInt64>]) throws(SystemError) {
        let ranges = intact.sorted {
            ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
        }
        let isUnpaired = sealed.contains { block in
            !pairs.contains { $0.lowerBound == block.lowerBound || $0.contains(block.lowerBound) }
        }
        let known = SealedExtents(of: layout, on: fileSystem)
        let remedy =
            Damage.rewritten + "; until then bytes missing at the beginning are treated as removed by retention"
        try checkMetadata(layout.extentsFile, isNeeded: isUnpaired && isOfThisVersion, remedy: remedy)
        var missing: [Range<UInt64>] = []
        var position = known?.begin ?? oldest
        for next in ranges where next.range.upperBound > position || next.range.isEmpty {
            let start = next.range.lowerBound
            if start > position, !(start % StoreLimits.restartStride == 0 && next.beginsWithGap) {
                missing.append(max(position, StoreLimits.lastJump(before: start))..<start)
            }
            position = max(position, next.range.upperBound)
        }
        for range in (known?.segments ?? []) where range.upperBound > known?.begin ?? 0 {
            missing += Self.uncovered(max(range.lowerBound, known?.begin ?? 0)..<range.upperBound, ranges)
        }
        for range in known?.heads ?? [] {
            missing += Self.uncovered(range, ranges)
        }
        // Positions may jump within a segment.
        let jumps = Set(ranges.filter(\.beginsWithGap).map(\.range.lowerBound))
        missing.removeAll { $0.upperBound % StoreLimits.restartStride == 0 && jumps.contains($0.upperBound) }
        let ends = Cursor(offset: position)
        if end.offset > ends.offset {
            missing.append(max(ends.offset, StoreLimits.lastJump(before: end.offset))..<end.offset)
        } else if end.offset == ends.offset, end.markers > 0, try StreamReader(layout, fileSystem).end() < end {
            damages.append(Damage(id.folder, "markers at the end of the log are missing"))
        }
        report(missing)
    }

    private var isOfThisVersion: Bool {
        guard case .metadata(_, true)? = try? MetadataFile.contents(of: layout.metadata, on: fileSystem) else {
            return false
        }
        return true
    }

    /// The parts of `range` outside all of `ranges`, which are sorted.
    private static func uncovered(_ range: Range<UInt64>, _ ranges: [IntactRange]) -> [Range<UInt64>] {
        var rest: [Range<UInt64>] = []
        var position = range.lowerBound
        for intact in ranges.map(\.range) where intact.upperBound > position && position < range.upperBound {
            if intact.lowerBound > position {
                rest.append(position..<min(intact.lowerBound, range.upperBound))
            }
            position = intact.upperBound
        }
        if position < range.upperBound {
            rest.append(position..<range.upperBound)
        }
        return rest.filter { !$0.isEmpty }
    }

    /// Reports positions that are in no file, except for those of a damaged file.
    private mutating func report(_ missing: [Range<UInt64>]) {
        var position: UInt64 = 0
        for range in missing.sorted(by: { $0.lowerBound < $1.lowerBound }) where range.upperBound > position {
            let fresh = max(position, range.lowerBound)..<range.upperBound
            position = range.upperBound
            let isReported = damages.contains { damage in
                damage.lost.map { $0.lowerBound <= fresh.lowerBound && $0.upperBound >= fresh.upperBound } ?? false
            }
            if !isReported {
                damages.append(
                    Damage(
                        id.folder,
                        "the bytes \(fresh.lowerBound) to \(fresh.upperBound) are in no file that can be read",
                        lost: fresh,
                        remedy: "restore the folder from a backup, or leave it: the log shows a gap there"
                    )
                )
            }
        }
    }
}
