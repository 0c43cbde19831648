// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats
import Transforms

/// Joins the pieces of lines that journald has divided, because they were longer than its `LineMax=`: entries of one
/// `_STREAM_ID`, of which all but the last have `_LINE_BREAK=line-max` (systemd.journal-fields(7)).
struct JournalLineJoiner {
    private struct Held {
        var text: [UInt8]
        /// The cursor of the entry before the first piece; empty when there is none.
        var before: String
        /// The number of records that were returned before the first piece.
        var returned: Int
    }

    private var held: [[UInt8]: Held] = [:]
    /// The number of records, with those that were passed.
    private var returned = 0
    private var last = ""

    /// Maximum number of divided lines at a time; further pieces are records of their own.
    private static let limit = 64
    /// Maximum size of a line, in bytes.
    private static let sizeLimit = 2 << 20
    private static let message = Array("MESSAGE".utf8)
    private static let stream = Array("_STREAM_ID".utf8)
    private static let lineBreak = Array("_LINE_BREAK".utf8)

    /// Where reading can begin again for what follows: after the entry with this cursor, and after that many records,
    /// those that were passed among them.
    var resume: (cursor: String, skip: Int) {
        guard let first = held.values.min(by: { $0.returned < $1.returned }) else {
            return (last, 0)
        }
        return (first.before, returned - first.returned)
    }

    /// A joiner for what follows the entry with that cursor.
    init(after cursor: String = "") {
        last = cursor
    }

    /// Passes an entry that is a record, and no piece of one.
    mutating func pass(cursor: String) {
        returned += 1
        last = cursor
    }

    /// Takes an entry; returns whether it is a record: not when it is a piece of one. The last piece becomes the whole.
    mutating func add(_ record: inout RecordBuffer, cursor: String) -> Bool {
        defer { last = cursor }
        guard let id = record.value(of: Self.stream).map({ Array($0) }), let text = record.value(of: Self.message)
        else {
            returned += 1
            return true
        }
        let isDivided = record.value(of: Self.lineBreak)?.elementsEqual("line-max".utf8) == true
        var line = held.removeValue(forKey: id)
        guard isDivided || line != nil else {
            returned += 1
            return true
        }
        line = line ?? Held(text: [], before: last, returned: returned)
        line?.text.append(contentsOf: text)
        if isDivided, held.count < Self.limit, line?.text.count ?? 0 < Self.sizeLimit {
            held[id] = line
            return false
        }
        record.set(Self.message, line?.text ?? [])
        if isDivided {
            record.append(RecordDecoder.truncatedName, "true".utf8, .literal)
        } else {
            record.remove(Self.lineBreak)
        }
        returned += 1
        return true
    }
}
