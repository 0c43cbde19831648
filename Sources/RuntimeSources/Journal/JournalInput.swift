// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TextFormats

/// A journal as the input of a source: entries whose divided lines are joined, without this process's own.
///
/// The place to begin is the number of records to skip, four bytes, most significant first, and a cursor.
final class JournalInput: SourceInput {
    private let open: (String?) throws(SystemError) -> any JournalEntries
    private let ownProcess = Array(String(getpid()).utf8)
    private var entries: (any JournalEntries)?
    private var joiner = JournalLineJoiner()
    private var skip = 0
    private var record = RecordBuffer()
    private let follows: Bool

    /// Maximum length of a cursor, in bytes, so that the place fits into a position: journald's have about 140.
    static let cursorLimit = SourcePosition.resumeLimit - 4
    /// Entries read in one turn.
    private static let turnCount = 256
    private static let process = Array("_PID".utf8)

    /// An input of what `open` opens, after a cursor or, with nil, at its beginning. One that does not follow ends.
    init(follows: Bool, _ open: @escaping (String?) throws(SystemError) -> any JournalEntries) {
        self.follows = follows
        self.open = open
    }

    func begin(at resume: [UInt8]?) throws(SystemError) -> Bool {
        guard let resume, resume.count >= 4 else {
            entries = try open(nil)
            return true
        }
        skip = Int(resume[..<4].bigEndian)
        let cursor = String(decoding: resume[4...], as: UTF8.self)
        let opened = try open(cursor.isEmpty ? nil : cursor)
        entries = opened
        joiner = JournalLineJoiner(after: cursor)
        return opened.isComplete
    }

    func read(
        _ add: (inout RecordBuffer, [UInt8]) throws -> Void,
        secure: ([UInt8]) throws -> Void
    ) throws -> SourceReading {
        guard let entries else {
            return .end
        }
        for _ in 0..<Self.turnCount {
            guard let cursor = try entries.next(&record) else {
                return follows ? .idle : .end
            }
            if record.value(of: Self.process)?.elementsEqual(ownProcess) == true {
                continue
            }
            guard joiner.add(&record, cursor: cursor) else {
                continue
            }
            if skip > 0 {
                skip -= 1
                continue
            }
            try add(&record, place)
        }
        return .more
    }

    private var place: [UInt8] {
        let resume = joiner.resume
        return [UInt8](bigEndian: UInt32(clamping: resume.skip)) + Array(resume.cursor.utf8)
    }

    func wait(_ interruption: Interruption, within microseconds: Int64) {
        entries?.wait(interruption, within: microseconds)
    }
}
