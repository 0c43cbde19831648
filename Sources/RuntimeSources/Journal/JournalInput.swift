// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TextFormats

/// A journal as the input of a source: entries whose divided lines are joined, without this process's own.
///
/// `resume`, where reading begins again, is the number of records to skip, four bytes, most significant first, and a
/// cursor. Each record that is left out counts as one, there and in the records' numbers.
final class JournalInput: SourceInput {
    private let open: (String?) throws(SystemError) -> any JournalEntries
    private let ownProcess = Array(String(getpid()).utf8)
    private let own: ServiceIdentity
    /// The cursor after which reading begins for the first time, until that is secured.
    private var start: String?
    /// Whether the position after the next record is to be secured: the oldest entries, which have no position before
    /// them, are the first to be removed.
    private var securesNext = false
    private var entries: (any JournalEntries)?
    private var joiner = JournalLineJoiner()
    private var skip = 0
    private var record = RecordBuffer()
    private let follows: Bool
    private let warn: (String) -> Void
    /// The number of skipped entries that was reported last.
    private var reportedSkipped = 0

    /// Maximum length of a cursor, in bytes, so that `resume` fits into a position: journald's have about 140.
    static let cursorLimit = ReadPosition.resumeLimit - 4
    /// Entries read in one turn.
    private static let turnCount = 256
    private static let process = Array("_PID".utf8)
    private static let unit = Array("_SYSTEMD_UNIT".utf8)
    private static let program = Array("_EXE".utf8)

    /// An input of what `open` opens: after a cursor, with an empty one at the head, and with nil where reading begins for
    /// the first time. One that does not follow ends. `warn` reports entries that could not be read.
    init(
        follows: Bool,
        own: ServiceIdentity = ServiceIdentity(),
        warn: @escaping (String) -> Void,
        _ open: @escaping (String?) throws(SystemError) -> any JournalEntries
    ) {
        self.follows = follows
        self.own = own
        self.warn = warn
        self.open = open
    }

    func begin(at resume: [UInt8]?) throws(SystemError) -> SourceStart {
        guard let resume, resume.count >= 4 else {
            let opened = try open(nil)
            (entries, start) = (opened, opened.startCursor)
            joiner = JournalLineJoiner(after: start ?? "")
            securesNext = start?.isEmpty ?? true
            return .resumed
        }
        skip = Int(resume[..<4].bigEndian)
        let cursor = String(decoding: resume[4...], as: UTF8.self)
        let opened = try open(cursor)
        entries = opened
        joiner = JournalLineJoiner(after: cursor)
        guard !opened.isComplete else {
            return .resumed
        }
        // The records to be skipped are gone too.
        skip = 0
        return follows ? .skipped(reason: "the journal does not have the entry that was read last any more") : .replaced
    }

    func read(into consumer: any RecordConsumer) throws -> ReadResult {
        guard let entries else {
            return .end
        }
        defer { reportSkipped(of: entries) }
        if let start {
            try consumer.secure(Self.resume(skip: 0, start))
            self.start = nil
        }
        for _ in 0..<Self.turnCount {
            guard let cursor = try entries.next(&record) else {
                if securesNext, follows, let start = entries.startCursor {
                    securesNext = false
                    if !start.isEmpty {
                        // It was not known before, so nothing was read yet.
                        joiner = JournalLineJoiner(after: start)
                    }
                    try consumer.secure(Self.resume(skip: 0, start))
                }
                return follows ? .idle : .end
            }
            let isOwn = isOwn(record)
            if isOwn {
                joiner.pass(cursor: cursor)
            } else if !joiner.add(&record, cursor: cursor) {
                continue
            }
            if skip > 0 {
                skip -= 1
                continue
            }
            guard !isOwn else {
                consumer.omit(endingAt: resume)
                continue
            }
            try consumer.add(&record, endingAt: resume)
            if securesNext {
                securesNext = false
                try consumer.secure(resume)
            }
        }
        return .more
    }

    /// Reports the number of skipped entries each time that it has doubled.
    private func reportSkipped(of entries: any JournalEntries) {
        let count = entries.skipped
        guard count >= max(1, 2 * reportedSkipped) else {
            return
        }
        reportedSkipped = count
        warn(
            "\(count == 1 ? "1 entry" : "\(count) entries") of the journal could not be read and \(count == 1 ? "is" : "are") "
                + "left out; \(entries.remedyForSkipped)"
        )
    }

    private var resume: [UInt8] {
        let next = joiner.resume
        return Self.resume(skip: next.skip, next.cursor)
    }

    private static func resume(skip: Int, _ cursor: String) -> [UInt8] {
        [UInt8](bigEndian: UInt32(clamping: skip)) + Array(cursor.utf8)
    }

    /// Whether this daemon, or an earlier process of its service, has written the entry. What is imported may be of another
    /// machine, where this process's number is that of another one.
    private func isOwn(_ record: RecordBuffer) -> Bool {
        if follows, record.value(of: Self.process)?.elementsEqual(ownProcess) == true {
            return true
        }
        guard let unit = own.unit, let program = own.program else {
            return false
        }
        return record.value(of: Self.unit)?.elementsEqual(unit) == true
            && record.value(of: Self.program)?.elementsEqual(program) == true
    }

    func wait(_ interruption: Interruption, within microseconds: Int64) {
        entries?.wait(interruption, within: microseconds)
    }
}
