// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TextFormats

/// A file in the Journal Export Format, as `journalctl -o export` writes it: its entries, in their order.
final class JournalExportFile: JournalEntries {
    private let path: String
    private var file: Descriptor
    private var parser = JournalExportParser()
    private var buffer = [UInt8](repeating: 0, count: 256 << 10)
    private var isAtEnd = false
    private(set) var skipped = 0
    var remedyForSkipped: String { "\(path) is damaged: write it again with journalctl -o export" }
    private(set) var isComplete = true
    let startCursor: String? = nil

    /// The field with which journalctl begins each entry.
    private static let head = Array("__CURSOR=".utf8)

    /// Whether a file is in that format.
    static func isExport(_ path: String) -> Bool {
        guard let file = try? open(path) else {
            return false
        }
        var bytes = [UInt8](repeating: 0, count: head.count)
        return pread(file.raw, &bytes, bytes.count, 0) == bytes.count && bytes == head
    }

    /// Opens the file after the entry with that cursor: at its beginning without a cursor,
    /// or when the file does not contain it.
    init(_ path: String, after cursor: String?) throws(SystemError) {
        self.path = path
        file = try Self.open(path)
        guard let cursor, !cursor.isEmpty else {
            return
        }
        var record = RecordBuffer()
        while let found = try next(&record) {
            if found == cursor {
                return
            }
        }
        isComplete = false
        file = try Self.open(path)
        (parser, isAtEnd, skipped) = (JournalExportParser(), false, 0)
    }

    private static func open(_ path: String) throws(SystemError) -> Descriptor {
        Descriptor(owning: try systemCall("open", path) { Glibc.open(path, O_RDONLY | O_CLOEXEC) })
    }

    func next(_ record: inout RecordBuffer) throws(SystemError) -> String? {
        while let event = try nextEvent() {
            if case .entry(let entry) = event, let cursor = JournalctlReader.fill(&record, from: entry) {
                return cursor
            }
            skipped += 1
        }
        return nil
    }

    private func nextEvent() throws(SystemError) -> JournalExportParser.Event? {
        while true {
            do {
                if let event = try parser.next() {
                    return event
                }
            } catch {
                throw SystemError("read", path, code: EBADMSG, reason: "\(error)")
            }
            guard !isAtEnd else {
                return nil
            }
            let count = try systemCall("read", path) { read(file.raw, &buffer, buffer.count) }
            guard count > 0 else {
                isAtEnd = true
                return parser.finish().map { .entry($0) }
            }
            buffer.withUnsafeBytes { parser.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
    }

    func wait(_ interruption: Interruption, within microseconds: Int64) {}
}
