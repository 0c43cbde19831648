// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TextFormats

/// An end of a boot that a console's last lines announce and that has no marker yet: the writer places it at the first
/// pause, because last words may follow. So a reader that asks just after the announcement does not take the boot for a
/// lasting one.
enum RecentEnd {
    /// How long after the last line a marker may be missing, in microseconds: longer than the writer's pause.
    private static let markerDelay: Int64 = 1_000_000
    /// Last words are few.
    private static let searched: UInt64 = 4096

    /// The position and the time of the announcement in the stream of `reader`, from `begin` on; nil when there is
    /// none, or when that was long before `now`.
    static func find(
        _ reader: StreamReader,
        _ properties: StreamProperties,
        from begin: Cursor,
        now: Timestamp
    ) throws -> (position: UInt64, time: Timestamp)? {
        let end = try reader.end().offset
        let start = max(begin.offset, end > searched ? end - searched : 0)
        guard start < end else {
            return nil
        }
        let source = try LineSource(
            reader,
            properties,
            plan: BlockPlan(reader, clock: properties.clock),
            filter: LineFilter(),
            from: Cursor(offset: try OpenLine.start(before: start, notBefore: begin.offset, reader)),
            isResumable: false
        )
        var found: (position: UInt64, time: Timestamp)?
        var last: Timestamp?
        while let entry = try source.next() {
            guard case .line(let line) = entry else {
                continue
            }
            last = line.time
            switch BootLine(line.bytes).banner {
            case .end, .request: found = (line.start.offset, line.time)
            case .firmware, .loaderStart, .loader, .kernel: found = nil
            case .kernelVersion, .userSpace, .lastWords, nil: break
            }
        }
        // The lines may be unreadable.
        guard let last else {
            return nil
        }
        let near = now.advanced(byMicroseconds: -markerDelay)...now.advanced(byMicroseconds: markerDelay)
        return near.contains(last) ? found : nil
    }
}
