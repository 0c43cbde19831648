// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TextFormats

/// A journal that is read entry by entry: in process, or through journalctl.
protocol JournalEntries: AnyObject {
    /// Reads the next entry into `record`; returns its cursor, nil when there is none now.
    func next(_ record: inout RecordBuffer) throws(SystemError) -> String?
    /// Waits until there may be another one, at most that long.
    func wait(_ interruption: Interruption, within microseconds: Int64)
    /// Whether the entry of the cursor that reading began after was there, so that none after it is missing.
    var isComplete: Bool { get }
    /// The cursor of the last entry that there was when reading began behind it, empty when there was none; nil where it
    /// began otherwise, and where that is not known yet.
    var startCursor: String? { get }
    /// The number of entries that were skipped because they are damaged.
    var skipped: Int { get }
    /// What to do about them.
    var remedyForSkipped: String { get }
}

extension JournalEntries {
    var remedyForSkipped: String { JournalAccess.check(of: []) }
}

/// Whether this process may read journals.
enum JournalAccess {
    /// How to find the damaged files of the journal in these folders or files, by default this host's.
    static func check(of paths: [String]) -> String {
        let options = paths.map { (isFolder($0) ? " --directory=" : " --file=") + $0 }
        return "journalctl --verify\(options.joined()) names damaged files"
    }

    static func isFolder(_ path: String) -> Bool {
        (try? FileAttributes(following: path))?.isDirectory ?? false
    }

    /// Opens a journal after the entry with that cursor, with an empty one at its head, and with nil where the options
    /// say: in process, or through journalctl where the library cannot be loaded, which is reported.
    static func open(
        _ options: JournalOptions,
        after cursor: String?,
        warn: (String) -> Void
    ) throws(SystemError) -> any JournalEntries {
        var (options, cursor) = (options, cursor)
        if cursor?.isEmpty == true {
            (options.readsFromHead, cursor) = (true, nil)
        }
        let library: JournalLibrary
        do throws(SystemError) {
            library = try JournalLibrary()
        } catch {
            warn("\(error); journals are read through journalctl instead")
            try refuseUnreadable(options.paths)
            return JournalctlReader(options, after: cursor)
        }
        return try JournalReader(options, after: cursor, library: library)
    }

    /// Why nothing of the journal in these folders or files, by default this host's, can be read; nil when something
    /// can, or nothing is there.
    static func problem(_ paths: [String]) -> String? {
        let folders = paths.isEmpty ? ["/var/log/journal", "/run/log/journal"] : paths
        let there = folders.filter { access($0, F_OK) == 0 }
        guard !there.isEmpty else {
            return "there is no \(folders.joined(separator: " or ")); does journald run, with Storage= other than none?"
        }
        let found = there.flatMap { files(at: $0) }
        guard let first = found.first, !found.contains(where: isReadable) else {
            return nil
        }
        return "\(first) cannot be read by this user; add it to the group systemd-journal, in a unit of systemd with "
            + "SupplementaryGroups=systemd-journal"
    }

    /// Throws EACCES, with the remedy, when nothing of the journal in these folders or files can be read. libsystemd opens
    /// a folder also when it may open none of the files in it.
    static func refuseUnreadable(_ paths: [String]) throws(SystemError) {
        if let problem = problem(paths) {
            throw SystemError("read journal", paths.first ?? "of this host", code: EACCES, reason: problem)
        }
    }

    /// The journal's files at `path`: the file itself, or those in the folder and in the machines' folders in it. A folder
    /// that cannot be listed stands for its files.
    private static func files(at path: String) -> [String] {
        guard isFolder(path) else {
            return [path]
        }
        guard let names = try? LinuxFileSystem().names(in: path) else {
            return [path]
        }
        return names.sorted().flatMap { name in
            let inner = path + "/" + name
            if name.hasSuffix(".journal") || name.hasSuffix(".journal~") {
                return [inner]
            }
            return isMachine(name) && isFolder(inner) ? files(at: inner) : []
        }
    }

    /// Whether a folder has the name of a machine's: its ID, with a namespace or without.
    private static func isMachine(_ name: String) -> Bool {
        let digits = name.prefix { $0 != "." }
        return digits.count == 32 && digits.allSatisfy(\.isHexDigit)
    }

    private static func isReadable(_ path: String) -> Bool {
        let file = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            return false
        }
        close(file)
        return true
    }
}
