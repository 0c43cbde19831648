// SPDX-License-Identifier: Apache-2.0

import SystemIO

// Finding and opening the files of the log.
extension RotatingFileFollower {
    /// A file may be renamed between the scan that found it and its opening.
    private static let maximumAttempts = 8

    var folder: String { DirectoryHandle.split(path).directory }

    /// The files of the log; none where there is no folder.
    func scan() throws(SystemError) -> LogFolderScan {
        scanCount += 1
        do throws(SystemError) {
            return try LogFolderScan(of: path, trustedFolder: trustedFolder, names: folderNames)
        } catch {
            guard error.code == SystemError.notFound else {
                throw error
            }
            return LogFolderScan()
        }
    }

    /// If another file is at the path than before, or `always`, scans the folder, and opens the files to be read next.
    func lookForFiles(always: Bool = false) throws(SystemError) {
        scanFailure = nil
        guard always || start != nil || FileAttributes(at: path)?.identity != live else {
            return
        }
        for _ in 0..<Self.maximumAttempts {
            let scan: LogFolderScan
            do throws(SystemError) {
                scan = try self.scan()
            } catch {
                // What is open can still be read.
                scanFailure = error
                guard file == nil, opening == nil else {
                    return
                }
                throw error
            }
            known = Set(scan.entries.map(\.id))
            live = scan.live
            if let start {
                try begin(start, in: scan)
            } else {
                let modified = (try? file?.attributes())?.modified ?? 0
                sequence.accept(scan.entries, currentModified: modified) { held[$0] != nil }
            }
            if hold(scan) {
                return
            }
        }
    }

    /// Whether what comes next is sure without another scan: rotated files that are open. The live one may have been
    /// renamed, or copied and truncated, since the last scan. More files are opened before all these are read.
    var knowsNext: Bool {
        let next = sequence.pending.prefix(Self.maximumHeld / 2)
        return !next.isEmpty
            && next.allSatisfy { item in
                guard case .file(let entry) = item else {
                    return true
                }
                return !entry.isLive && held[entry.id] != nil
            }
    }

    /// Opens the pending files of `scan`, up to the limit; false when one is not under its name any more.
    private func hold(_ scan: LogFolderScan) -> Bool {
        for id in sequence.pending.compactMap(\.id) where held[id] == nil && held.count < Self.maximumHeld {
            guard let name = scan.name(of: id) else {
                continue
            }
            do throws(SystemError) {
                let file = try FollowedFile(name, in: folder, trusted: trustedFolder)
                guard file.id == id else {
                    return false
                }
                held[id] = file
            } catch {
                guard error.code != SystemError.notFound else {
                    return false
                }
                // Whatever refuses it is reported when it is its turn to be read.
            }
        }
        return true
    }

    /// Makes the file of `entry` the one that is read; false when it is gone.
    func open(_ entry: FileSequence.Entry) throws(SystemError) -> Bool {
        if let file = held[entry.id] {
            begin(file)
            mayBeginWithHole = entry.id == copied
            return true
        }
        for _ in 0..<Self.maximumAttempts {
            guard let name = try scan().name(of: entry.id) else {
                return false
            }
            if let file = try file(name), file.id == entry.id {
                begin(file)
                return true
            }
        }
        return false
    }

    /// Opens the file `name`; nil when there is none.
    private func file(_ name: String) throws(SystemError) -> FollowedFile? {
        do throws(SystemError) {
            return try FollowedFile(name, in: folder, trusted: trustedFolder)
        } catch {
            guard error.code == SystemError.notFound else {
                throw error
            }
            return nil
        }
    }

    /// The newest file of which the bytes before `offset` are those of `check`.
    func copy(
        in scan: LogFolderScan,
        at offset: UInt64,
        _ check: ContentCheck,
        besides excluded: Set<LogFileID>
    ) throws(SystemError) -> FollowedFile? {
        guard check.count > 0 else {
            return nil
        }
        for found in scan.files.reversed()
        where !found.entry.isCompressed && found.entry.size >= offset && !excluded.contains(found.entry.id) {
            if let copy = try file(found.name), copy.id == found.entry.id, copy.matches(check, at: offset) {
                return copy
            }
        }
        return nil
    }

    /// The oldest rotated file that is not among `known`, and can be read.
    func firstCopy(in scan: LogFolderScan, besides known: Set<LogFileID>) throws(SystemError) -> FollowedFile? {
        for found in scan.files
        where !found.entry.isLive && !found.entry.isCompressed && !known.contains(found.entry.id) {
            if let copy = try file(found.name), copy.id == found.entry.id {
                return copy
            }
        }
        return nil
    }

    // MARK: - The beginning

    /// Begins to read, if there is any file yet.
    private func begin(_ start: Start, in scan: LogFolderScan) throws(SystemError) {
        guard !scan.files.isEmpty else {
            // Whatever is created from now on is new.
            if case .position = start {
            } else {
                self.start = .oldest
            }
            return
        }
        let entries = scan.entries
        switch start {
        case .oldest:
            if scan.hasOlder {
                gaps.append(FollowGap(.surplus, bytes: nil))
            }
            compressedBefore = scan.files.filter(\.entry.isCompressed).map(\.name)
            accept(entries, passed: entries.filter(\.isCompressed))
        case .live:
            accept(entries, passed: entries.filter { !$0.isLive })
        case .end:
            let others = entries.filter { !$0.isLive }
            if let live = scan.files.last, live.entry.isLive, let file = try file(live.name) {
                let end = UInt64(try file.attributes().size)
                accept(entries, current: file.id, passed: others)
                begin(file, at: end, after: try file.bytes(before: end))
            } else {
                accept(entries, passed: others)
            }
        case .position(let position):
            try begin(at: position, in: scan)
        }
        self.start = nil
    }

    private func accept(_ entries: [FileSequence.Entry], current: LogFileID? = nil, passed: [FileSequence.Entry]) {
        sequence = FileSequence(current: current, passed: Set(passed.map(\.id)))
        sequence.accept(entries) { _ in false }
    }

    /// Continues in the file of `position`; where its contents are not those that were read, in the copy that has them.
    private func begin(at position: FollowPosition, in scan: LogFolderScan) throws(SystemError) {
        let entries = scan.entries
        let saved = scan.files.lastIndex { $0.entry.id.isSame(asSaved: position.file) }
        var found: FollowedFile?
        if let saved, let file = try file(scan.files[saved].name), file.id == entries[saved].id,
            file.matches(position.check, at: position.offset)
        {
            found = file
        }
        if found == nil {
            found = try copy(in: scan, at: position.offset, position.check, besides: [])
            copied = found == nil ? nil : saved.map { entries[$0].id }
        }
        if let found, let index = entries.firstIndex(where: { $0.id == found.id }) {
            accept(entries, current: found.id, passed: Array(entries[..<index]))
            let offset = position.offset - min(position.rewind, position.offset)
            begin(found, at: offset, after: try found.bytes(before: offset))
        } else if let saved {
            gaps.append(FollowGap(.truncated, bytes: nil))
            accept(entries, passed: Array(entries[..<saved]))
        } else {
            gaps.append(FollowGap(.removed, bytes: nil))
            accept(entries, passed: entries.filter(\.isCompressed))
        }
    }
}
