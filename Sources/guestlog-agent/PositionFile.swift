// SPDX-License-Identifier: Apache-2.0

import GuestChannel
import LogModel
import SystemIO
import TextFormats

/// How far the host has stored a source, in a file that outlives the agent but not the boot: so an agent that is started
/// again continues there. A mark is the source's own position of a record.
struct PositionFile<Mark: LosslessStringConvertible & Equatable> {
    private let folder: String
    private let name: String
    private let boot: String
    /// The source's records that are not acknowledged yet: their ordinal numbers among all records, and their marks.
    private var waiting: [(ordinal: UInt64, mark: Mark)] = []
    /// The index of the first of them.
    private var start = 0
    /// The mark of the last record that is stored.
    private(set) var stored: Mark?
    private var written: Mark?
    /// Why the position could not be written the last time; nil: it could.
    private(set) var problem: SystemError?

    /// Reads the position in the file `name` of `folder`, unless it is of another boot than `boot`.
    init(_ name: String, in folder: String, boot: String) {
        self.name = name
        self.folder = folder
        self.boot = boot
        let text = (try? LinuxFileSystem().contents(of: folder + "/" + name)) ?? []
        let words = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace).map(String.init)
        if words.count == 2, words[0] == boot {
            stored = Mark(words[1])
            written = stored
        }
    }

    /// The number of marks in memory.
    var count: Int { waiting.count - start }

    /// The record with that mark has the ordinal number `ordinal` among all records, in whichever session, if it was
    /// spooled. Those before the ordinal number `first` have left the spool.
    mutating func note(_ mark: Mark, at ordinal: UInt64, first: UInt64) {
        if count > 0, waiting[waiting.count - 1].ordinal == ordinal {
            // The record before was not spooled: this one stands for both.
            waiting[waiting.count - 1].mark = mark
        } else {
            waiting.append((ordinal, mark))
        }
        // Of what was dropped while the host is away, the last mark is enough.
        while count > 1, waiting[start + 1].ordinal < first {
            removeFirst()
        }
    }

    /// The records before the ordinal number `first` have left the spool.
    mutating func advance(to first: UInt64) {
        while count > 0, waiting[start].ordinal < first {
            stored = waiting[start].mark
            removeFirst()
        }
    }

    private mutating func removeFirst() {
        start += 1
        if start > waiting.count / 2 {
            waiting.removeFirst(start)
            start = 0
        }
    }

    /// Writes the position if it has changed. Without it an agent that is started again reads the source anew.
    mutating func save() {
        guard let stored, stored != written else {
            return
        }
        let files = LinuxFileSystem()
        do throws(SystemError) {
            try files.makeDirectories(folder)
            try files.replace(name, in: folder, with: Array("\(boot) \(stored)\n".utf8))
            (written, problem) = (stored, nil)
        } catch {
            problem = error
        }
    }
}

/// The position of an entry in a journal: the beginning of its cursor, which suffices to find it.
struct JournalMark: LosslessStringConvertible, Equatable {
    let sequence: SessionID
    let number: UInt64

    init?(_ description: String) {
        self.init(cursor: Array(description.utf8))
    }

    /// The mark of the entry with that `__CURSOR`.
    init?(cursor: [UInt8]) {
        guard let cursor = JournalCursor(cursor), let sequence = SessionID(cursor.sequenceID) else {
            return nil
        }
        self.sequence = sequence
        number = cursor.number
    }

    var description: String { "s=\(sequence.bytes.hexadecimal);i=\(String(number, radix: 16))" }
}
