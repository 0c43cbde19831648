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
        if there.contains(where: { access($0, R_OK) == 0 }) {
            return nil
        }
        return "\(there[0]) cannot be read by this user; add it to the group systemd-journal"
    }
}
