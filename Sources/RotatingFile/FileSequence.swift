// SPDX-License-Identifier: Apache-2.0

/// Which file of a rotated log is read next: a state machine without I/O.
///
/// It is told what the folder has (`accept`) and that the current file has no more bytes (`endReached`). A file is
/// finished only when its end is found after its successor is known to have bytes: the program that writes the log has
/// left it by then. A file that rotation removes stays readable as long as it is held open, so the files to be read
/// next are opened as soon as they are known.
struct FileSequence {
    /// A file in the folder.
    struct Entry: Hashable {
        var id: LogFileID
        /// In bytes, when the folder was scanned.
        var size: UInt64
        var isLive = false
        var isCompressed = false
        /// When it was last written, in nanoseconds since the Unix epoch.
        var modified = 0
    }

    /// What comes after the current file.
    enum Item: Hashable {
        case file(Entry)
        case gap(FollowGap)
    }

    enum Step: Hashable {
        /// Nothing follows yet: the current file may grow.
        case wait
        /// Something follows: what the current file has now is all that it will ever have.
        case drain
        /// The current file is finished, or there is none; the item is removed from `pending`.
        case next(Item)
    }

    private(set) var current: LogFileID?
    /// What comes after it, in order.
    private(set) var pending: [Item] = []
    /// Files that were read before the current one, or are older, and still exist.
    private var passed: Set<LogFileID>
    private var isDraining = false

    /// A sequence of all files but the `passed` ones, with `current` as the one being read.
    init(current: LogFileID? = nil, passed: Set<LogFileID> = []) {
        self.current = current
        self.passed = passed
    }

    /// Takes account of all files of the log in the folder, the oldest first. `isHeld` tells which of the pending ones
    /// are open, and stay readable when they are not in the folder any more; `currentModified` when the current file was
    /// last written.
    mutating func accept(_ entries: [Entry], currentModified: Int = 0, isHeld: (LogFileID) -> Bool) {
        let indexes = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.id, $0) })
        let known = pending.compactMap(\.id).lazy.compactMap { indexes[$0] }.min()
        let begin: Int
        var isUncertain = false
        if let current, let index = indexes[current] {
            begin = index + 1
        } else if let known {
            begin = known
        } else {
            let remaining = entries.lastIndex { passed.contains($0.id) }
            begin = remaining.map { $0 + 1 } ?? 0
            // Rotation removes the oldest first. When nothing known is left, files between may have come and gone.
            isUncertain = current != nil && remaining == nil && entries.contains { !$0.isLive && !$0.isCompressed }
        }
        var next = pending.compactMap { item -> Item? in
            switch item {
            case .gap: item
            case .file(let entry) where indexes[entry.id] != nil: nil
            case .file(let entry) where isHeld(entry.id): item
            // The size of a file that was live may have grown after it was seen.
            case .file(let entry): .gap(FollowGap(.removed, bytes: entry.isLive ? nil : entry.size))
            }
        }
        if isUncertain {
            next.append(.gap(FollowGap(.removed, bytes: nil)))
        }
        for entry in entries[begin...] {
            if !entry.isCompressed {
                // Rotation may give the current file a name that makes it the oldest: those after it were read. The live
                // one is new, even if it has the number that a removed one had.
                if entry.isLive || !passed.contains(entry.id) {
                    next.append(.file(entry))
                }
            } else if !passed.contains(entry.id), entry.modified > currentModified {
                next.append(.gap(FollowGap(.compressed, bytes: nil)))
            }
        }
        pending = next.reduce(into: []) { items, item in
            if case .gap(let gap) = item, case .gap(let last)? = items.last, let sum = last.joined(with: gap) {
                items[items.count - 1] = .gap(sum)
            } else {
                items.append(item)
            }
        }
        let older =
            entries[..<begin] + entries[begin...].filter { $0.isCompressed || passed.contains($0.id) && !$0.isLive }
        passed = Set(older.map(\.id)).subtracting(current.map { [$0] } ?? [])
    }

    /// The current file has no more bytes; `nextHasBytes` tells whether the file after it has any.
    mutating func endReached(nextHasBytes: Bool) -> Step {
        guard let first = pending.first else {
            return .wait
        }
        if current != nil, !isDraining {
            if case .file(let entry) = first, entry.isLive, pending.count == 1, !nextHasBytes {
                return .wait
            }
            isDraining = true
            return .drain
        }
        pending.removeFirst()
        isDraining = false
        if case .file(let entry) = first {
            if let current {
                passed.insert(current)
            }
            current = entry.id
        }
        return .next(first)
    }

    /// The file that became the current one cannot be opened: it is gone, with all its bytes.
    mutating func currentIsGone() {
        current = nil
    }

    /// The current file was truncated, and `copy` has its former contents: it is read first.
    mutating func insertCopy(_ copy: LogFileID) {
        if let current {
            pending.insert(.file(Entry(id: current, size: 0, isLive: true)), at: 0)
        }
        passed.remove(copy)
        current = copy
        isDraining = false
    }
}

extension FileSequence.Item {
    /// The file's identity; nil for a gap.
    var id: LogFileID? {
        if case .file(let entry) = self { entry.id } else { nil }
    }
}
