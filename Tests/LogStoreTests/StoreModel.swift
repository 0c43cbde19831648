// SPDX-License-Identifier: Apache-2.0

import LogModel

@testable import LogStore

/// The expected contents of a stream: every byte and marker that was committed and neither evicted nor lost in a host
/// crash.
struct StoreModel {
    struct Entry: Equatable {
        enum Content: Equatable {
            case bytes([UInt8])
            /// Identified by the bytes its gap counts; 0 for a jump's.
            case marker(id: UInt64, number: Int)
        }
        var offset: UInt64
        var content: Content
        /// Whether it was synced.
        var isSynced = false
        /// Whether it was unsynced when a sync failed.
        var isDoubtful = false

        var end: UInt64 {
            if case .bytes(let bytes) = content { offset + UInt64(bytes.count) } else { offset }
        }
    }

    private(set) var entries: [Entry] = []
    private(set) var next: UInt64 = 0
    private var markersAtNext = 0
    /// The number of each marker, also of those that were evicted and restored by a host crash.
    private var numbers: [UInt64: Int] = [:]
    /// All bytes ever appended at a position, committed or not.
    private var given: [(offset: UInt64, bytes: [UInt8])] = []

    mutating func appended(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        entries.append(Entry(offset: next, content: .bytes(bytes)))
        next += UInt64(bytes.count)
        markersAtNext = 0
    }

    mutating func marked(_ id: UInt64) {
        entries.append(Entry(offset: next, content: .marker(id: id, number: markersAtNext)))
        numbers[id] = markersAtNext
        markersAtNext += 1
    }

    mutating func tried(_ bytes: [UInt8]) { given.append((next, bytes)) }

    mutating func synced() {
        for index in entries.indices where !entries[index].isDoubtful {
            entries[index].isSynced = true
        }
    }

    /// After a failed sync nothing unsynced can be trusted until it was written again.
    mutating func syncFailed() {
        for index in entries.indices where !entries[index].isSynced {
            entries[index].isDoubtful = true
        }
    }

    /// Everything was sealed again and synced.
    mutating func doubtsSettled() {
        for index in entries.indices {
            entries[index].isDoubtful = false
            entries[index].isSynced = true
        }
    }

    var isAllSynced: Bool { entries.allSatisfy(\.isSynced) }

    /// Discards everything unsynced.
    mutating func keepSynced() { entries.removeAll { !$0.isSynced } }

    /// The expected entries from `cursor` on: single markers, and bytes as one run as long as positions follow.
    func expected(from cursor: Cursor) -> [Entry] {
        var out: [Entry] = []
        for entry in entries {
            switch entry.content {
            case .marker(_, let number):
                if entry.offset > cursor.offset || (entry.offset == cursor.offset && number >= cursor.markers) {
                    out.append(Entry(offset: entry.offset, content: entry.content))
                }
            case .bytes(let bytes):
                if entry.end > cursor.offset {
                    let skip = cursor.offset > entry.offset ? Int(cursor.offset - entry.offset) : 0
                    Self.add(Array(bytes[skip...]), at: entry.offset + UInt64(skip), to: &out)
                }
            }
        }
        return out
    }

    static func add(_ bytes: [UInt8], at offset: UInt64, to out: inout [Entry]) {
        if let last = out.last, last.end == offset, case .bytes(let before) = last.content {
            out[out.count - 1].content = .bytes(before + bytes)
        } else if !bytes.isEmpty {
            out.append(Entry(offset: offset, content: .bytes(bytes)))
        }
    }

    /// Whether all of `bytes` were appended at those positions, by one call or by several.
    func wereGiven(_ bytes: [UInt8], at offset: UInt64) -> Bool {
        var fits = [Bool](repeating: false, count: bytes.count)
        for (start, text) in given where start < offset + UInt64(bytes.count) && start + UInt64(text.count) > offset {
            let low = max(start, offset)
            let high = min(start + UInt64(text.count), offset + UInt64(bytes.count))
            for position in low..<high where text[Int(position - start)] == bytes[Int(position - offset)] {
                fits[Int(position - offset)] = true
            }
        }
        return fits.allSatisfy { $0 }
    }

    /// The number of a marker at its position.
    func number(of id: UInt64) -> Int {
        for entry in entries {
            if case .marker(id, let number) = entry.content {
                return number
            }
        }
        return numbers[id] ?? 0
    }

    /// `found` with the model's numbers of the markers.
    func numbered(_ found: [Entry]) -> [Entry] {
        found.map { entry in
            guard case .marker(let id, _) = entry.content else {
                return entry
            }
            return Entry(offset: entry.offset, content: .marker(id: id, number: number(of: id)))
        }
    }

    func knows(marker id: UInt64) -> Bool { entries.contains { $0.content == .marker(id: id, number: number(of: id)) } }

    /// Adopts the present contents, keeping what is known of them; the stream continues at `next`.
    mutating func adopt(_ found: [Entry], next: UInt64) {
        var adopted: [Entry] = []
        for var entry in found {
            guard case .bytes(let bytes) = entry.content else {
                let old = entries.first { $0.offset == entry.offset && $0.content == entry.content }
                entry.isSynced = old?.isSynced ?? false
                entry.isDoubtful = old?.isDoubtful ?? false
                adopted.append(entry)
                continue
            }
            var at = entry.offset
            while at < entry.end {
                let old = entries.first { $0.offset <= at && $0.end > at }
                let stop = min(entry.end, old?.end ?? entries.first { $0.offset > at }?.offset ?? entry.end)
                let part = bytes[Int(at - entry.offset)..<Int(stop - entry.offset)]
                var piece = Entry(offset: at, content: .bytes(Array(part)))
                piece.isSynced = old?.isSynced ?? false
                piece.isDoubtful = old?.isDoubtful ?? false
                adopted.append(piece)
                at = stop
            }
        }
        entries = adopted
        self.next = next
        markersAtNext = 0
        for case let entry in entries where entry.offset == next {
            if case .marker(_, let number) = entry.content {
                markersAtNext = number + 1
            }
        }
    }
}
