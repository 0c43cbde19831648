// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The contents of a stream's `extents.json`, by which a missing file can be distinguished from one that retention
/// removed: what retention left, and the positions stored in synced segments and boot heads.
///
/// Written when a segment is begun or closed, after the sync of its blocks and before their pairs are removed; and by
/// retention, before it removes files. These may be two processes, which change it in turn (`update`).
struct SealedExtents: Equatable {
    /// Bytes before this position were removed by retention, except for those in `heads`.
    var begin: UInt64 = 0
    /// The segments, in order. The last one, which may grow, has at least this range.
    var segments: [Range<UInt64>] = []
    var heads: [Range<UInt64>] = []
    /// The last position of a replayable stream's source before `begin`.
    var source = SourcePosition()

    var end: UInt64 { max(segments.last?.upperBound ?? 0, heads.last?.upperBound ?? 0, begin) }

    static let name = "extents.json"

    /// Reads the file of a stream. A stream created by a version that writes this file, and without one, has nothing
    /// sealed or removed yet; for others without a valid file the result is nil.
    init?(of layout: StreamLayout, on fileSystem: any FileSystem) {
        switch try? MetadataFile.contents(of: layout.extentsFile, on: fileSystem) {
        case .metadata(let metadata, let agree)? where agree != false:
            self.init(metadata)
        case .absent?:
            guard case .metadata(_, true)? = try? MetadataFile.contents(of: layout.metadata, on: fileSystem) else {
                return nil
            }
            self.init()
        default:
            return nil
        }
    }

    init() {}

    init?(_ metadata: JSON) {
        guard let begin = metadata["begin"]?.integer, let segments = Self.ranges(metadata["segments"]),
            let heads = Self.ranges(metadata["heads"])
        else {
            return nil
        }
        self.begin = UInt64(clamping: begin)
        self.segments = segments
        self.heads = heads
        source.value = metadata["source"]?.text.flatMap { [UInt8](hexadecimal: $0) }
        source.length = Int(clamping: metadata["source_length"]?.integer ?? 0)
    }

    private static func ranges(_ json: JSON?) -> [Range<UInt64>]? {
        var ranges: [Range<UInt64>] = []
        for pair in json?.elements ?? [] {
            guard let bounds = pair.elements, bounds.count == 2, let from = bounds[0].integer,
                let to = bounds[1].integer, from >= 0, from <= to, UInt64(to) < StreamLayout.positionLimit
            else {
                return nil
            }
            ranges.append(UInt64(from)..<UInt64(to))
        }
        return json == nil ? nil : ranges.sorted { $0.lowerBound < $1.lowerBound }
    }

    private static func json(of ranges: [Range<UInt64>]) -> JSON {
        .array(
            ranges.map { range in
                .array([
                    .integer(Int64(clamping: range.lowerBound)), .integer(Int64(clamping: range.upperBound)),
                ])
            }
        )
    }

    private func write(to layout: StreamLayout, on fileSystem: any FileSystem) throws(SystemError) {
        let text = MetadataFile.text(
            of: [
                ("format", .integer(Int64(StoreLimits.formatVersion))),
                ("begin", .integer(Int64(clamping: begin))),
                ("segments", Self.json(of: segments)),
                ("heads", Self.json(of: heads)),
            ] + sourceMembers
        )
        try fileSystem.replace(Self.name, in: layout.path, with: text)
    }

    private var sourceMembers: [(String, JSON)] {
        guard let value = source.value else {
            return []
        }
        return [("source", .string(value.hexadecimal)), ("source_length", .integer(Int64(source.length)))]
    }

    /// How many milliseconds a lock that another process holds is waited for.
    private static let wait = 1000

    /// Changes a stream's recorded extents, while no other process does: the stream's metadata file is the lock. Throws
    /// EWOULDBLOCK when another process holds it for a second.
    static func update(
        _ layout: StreamLayout,
        on fileSystem: any FileSystem,
        _ change: (inout SealedExtents) throws(SystemError) -> Void
    ) throws(SystemError) {
        let lock = try? StoredFile(layout.metadata, .read, on: fileSystem)
        if let lock, !lock.lock(within: wait) {
            throw SystemError(
                "lock",
                layout.metadata,
                code: SystemError.wouldBlock,
                reason: "another process holds the lock"
            )
        }
        var known = try knownOrFound(of: layout, on: fileSystem)
        try change(&known)
        try known.write(to: layout, on: fileSystem)
        withExtendedLifetime(lock) {}
    }

    /// The recorded extents of a stream, or else those of its files.
    private static func knownOrFound(
        of layout: StreamLayout,
        on fileSystem: any FileSystem
    ) throws(SystemError) -> SealedExtents {
        if let known = SealedExtents(of: layout, on: fileSystem) {
            return known
        }
        return try found(in: layout, on: fileSystem)
    }

    /// The extents of the files in the stream's folder.
    private static func found(in layout: StreamLayout, on fileSystem: any FileSystem) throws(SystemError)
        -> SealedExtents
    {
        var extents = SealedExtents()
        let present = try layout.extents(on: fileSystem)
        extents.begin = present.first { $0.kind != .head }?.base ?? 0
        for extent in present where extent.kind != .pair {
            guard let headers = try SegmentFile.readable(layout.file(extent), on: fileSystem)?.headers,
                let end = headers.map(\.end).max(), end > extent.base
            else {
                continue
            }
            if extent.kind == .head {
                extents.heads.append(extent.base..<end)
            } else {
                extents.segments.append(extent.base..<end)
            }
        }
        return extents
    }

    /// Records that the segment at `base` ends at `end`, unless retention has removed it since.
    mutating func note(segment base: UInt64, upTo end: UInt64) {
        segments.removeAll { $0.lowerBound == base }
        if base < end, end > begin {
            segments.append(base..<end)
            segments.sort { $0.lowerBound < $1.lowerBound }
        }
    }

    /// Records that retention removes everything before `position`, except for boot heads.
    mutating func trim(to position: UInt64) {
        begin = max(begin, position)
        segments.removeAll { $0.upperBound <= begin }
    }
}
