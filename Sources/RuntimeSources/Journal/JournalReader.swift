// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TextFormats

/// Reads the entries of a journal in process. Used by one thread.
///
/// A damaged entry or file is skipped and counted; it ends nothing, and is not tried again and again.
final class JournalReader: JournalEntries {
    private let library: JournalLibrary
    private let options: JournalOptions
    private var journal: JournalLibrary.Handle
    /// Calls that failed one after another.
    private var failures = 0
    private(set) var skipped = 0
    var remedyForSkipped: String { JournalAccess.check(of: options.paths) }

    /// After so many failures one after another, there is nothing more to be read now.
    private static let failureLimit = 64

    private(set) var isComplete = true
    private(set) var startCursor: String?

    /// Opens the journal after the entry with that cursor or, with nil, where the options say. Throws when nothing of
    /// it can be read, with the remedy.
    init(_ options: JournalOptions, after cursor: String?, library: JournalLibrary) throws(SystemError) {
        self.library = library
        self.options = options
        journal = try Self.open(options, library)
        // Fields of any size are read whole.
        _ = library.setDataThreshold(journal, 0)
        for (number, match) in options.matches.enumerated() {
            if number > 0 {
                _ = library.addDisjunction(journal)
            }
            for word in match.words {
                let code = Array(word.utf8).withUnsafeBytes { library.addMatch(journal, $0.baseAddress!, $0.count) }
                guard code >= 0 else {
                    throw SystemError("match", word, code: -code, reason: "a match is FIELD=VALUE")
                }
            }
        }
        if let cursor {
            try seek(after: cursor)
        } else {
            try seekToStart()
        }
    }

    deinit {
        library.close(journal)
    }

    private static func open(
        _ options: JournalOptions,
        _ library: JournalLibrary
    ) throws(SystemError) -> JournalLibrary.Handle {
        var handle: JournalLibrary.Handle?
        let code: Int32
        switch options.paths.count {
        case 0: code = library.openLocal(&handle, 1)
        case 1 where JournalAccess.isFolder(options.paths[0]):
            code = library.openDirectory(&handle, options.paths[0], 0)
        default:
            let copies = options.paths.map { strdup($0) }
            defer { copies.forEach { free($0) } }
            let pointers = copies.map { UnsafePointer<CChar>($0) } + [nil]
            code = library.openFiles(&handle, pointers, 0)
        }
        let path = options.paths.first ?? "of this host"
        guard code >= 0, let handle else {
            throw SystemError("read journal", path, code: code < 0 ? -code : EIO)
        }
        do throws(SystemError) {
            try JournalAccess.refuseUnreadable(options.paths)
        } catch {
            library.close(handle)
            throw error
        }
        return handle
    }

    // MARK: - Positions

    /// Goes to the first entry after the cursor; when its file is gone, to the first entry after its time.
    private func seek(after cursor: String) throws(SystemError) {
        try check(library.seekCursor(journal, cursor), "seek in")
        guard library.next(journal) > 0 else {
            // All that followed may be gone as well.
            isComplete = false
            return
        }
        isComplete = library.testCursor(journal, cursor) > 0
        isAtEntry = !isComplete
    }

    private func seekToStart() throws(SystemError) {
        guard !options.readsFromHead else {
            return try check(library.seekHead(journal), "seek in")
        }
        try check(library.seekTail(journal), "seek in")
        // Otherwise the last entry would be read again.
        guard library.previous(journal) > 0 else {
            // No entry is there, or none matches, so that the head is the end. From the tail libsystemd does not go on to
            // the first of the entries that come.
            startCursor = ""
            return try check(library.seekHead(journal), "seek in")
        }
        startCursor = cursorHere()
    }

    /// Whether the entry here was not returned yet.
    private var isAtEntry = false

    private func check(_ code: Int32, _ operation: String) throws(SystemError) {
        guard code >= 0 else {
            throw SystemError("\(operation) journal", options.paths.first ?? "of this host", code: -code)
        }
    }

    // MARK: - Entries

    func next(_ record: inout RecordBuffer) throws(SystemError) -> String? {
        while true {
            if !isAtEntry {
                let code = library.next(journal)
                guard code != 0 else {
                    failures = 0
                    return nil
                }
                guard code > 0 else {
                    failures += 1
                    skipped += 1
                    if failures >= Self.failureLimit {
                        failures = 0
                        return nil
                    }
                    continue
                }
            }
            isAtEntry = false
            failures = 0
            if let cursor = read(&record) {
                return cursor
            }
            skipped += 1
        }
    }

    /// The cursor of the entry here; nil when it is damaged.
    private func cursorHere() -> String? {
        var cursor: UnsafeMutablePointer<CChar>?
        guard library.getCursor(journal, &cursor) >= 0, let cursor else {
            return nil
        }
        defer { free(cursor) }
        return String(cString: cursor)
    }

    /// Reads the entry here; nil when it is damaged.
    private func read(_ record: inout RecordBuffer) -> String? {
        record.removeAll()
        var time: UInt64 = 0
        guard library.getRealtime(journal, &time) >= 0, let cursor = cursorHere() else {
            return nil
        }
        record.time = Int64(clamping: time).multipliedReportingOverflow(by: 1000).partialValue
        library.restartData(journal)
        while true {
            var data: UnsafeRawPointer?
            var size = 0
            let code = library.enumerateData(journal, &data, &size)
            guard code > 0, let data else {
                return code == 0 ? cursor : nil
            }
            let field = UnsafeRawBufferPointer(start: data, count: size)
            guard let sign = field.prefix(256).firstIndex(of: UInt8(ascii: "=")) else {
                continue
            }
            let range = record.store(field)
            let name = range.lowerBound..<range.lowerBound + sign
            let value = name.upperBound + 1..<range.upperBound
            record.fields.append(RecordBuffer.Field(name: name, value: value, form: .text))
        }
    }

    // MARK: - Waiting

    func wait(_ interruption: Interruption, within microseconds: Int64) {
        let descriptor = library.descriptor(journal)
        guard descriptor >= 0 else {
            _ = interruption.isRaised(within: microseconds)
            return
        }
        var polled = [pollfd(descriptor), pollfd(interruption.descriptor)]
        Poll.wait(for: &polled, microseconds: microseconds)
        _ = library.process(journal)
    }
}
