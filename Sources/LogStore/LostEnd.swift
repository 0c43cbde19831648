// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The known contents of a stream after its present end.
public struct LostEnd: Hashable, Sendable {
    /// The number of bytes; nil when it is unknown.
    public var bytes: UInt64?
    /// When the stream's folder was last changed.
    public var time: Timestamp
}

extension StreamLayout {
    /// The known end of the stream: `extents.json` records what was sealed, `writer.json` the end when the VM was
    /// closed.
    func knownEnd(on fileSystem: any FileSystem) -> Cursor {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let folder = parts.dropLast().joined(separator: "/")
        var end = Cursor.start
        if let name = parts.last.flatMap({ StreamName(String($0)) }),
            let metadata = MetadataFile.metadata(in: folder + "/" + WriterState.name, on: fileSystem)
        {
            end = WriterState(metadata).ends[name] ?? end
        }
        end.advance(to: SealedExtents(of: self, on: fileSystem)?.end ?? 0)
        return end
    }
}

extension StreamReader {
    /// The loss after `cursor`, which is the stream's present end; nil when none is known.
    public func lostEnd(after cursor: Cursor) -> LostEnd? {
        var known = files.layout.knownEnd(on: files.fileSystem).offset
        var isKnown = true
        for (extent, _) in files.unreadable where extent.base >= cursor.offset {
            let size = extent.kind == .pair ? files.fileSystem.status(files.layout.log(extent.base))?.size : nil
            isKnown = isKnown && size != nil
            known = max(known, extent.base + UInt64(min(size ?? 1, StoreLimits.pairLimit)))
        }
        guard known > cursor.offset, !files.isIncomplete else {
            return nil
        }
        let modified = files.fileSystem.status(path)?.modifiedMicroseconds ?? 0
        let first = max(cursor.offset, StoreLimits.lastJump(before: known))
        return LostEnd(bytes: isKnown ? known - first : nil, time: Timestamp(microseconds: modified))
    }
}
