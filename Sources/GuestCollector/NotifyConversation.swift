// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// The messages of `vmm.notify_socket` (systemd, VM_INTERFACE): lines `NAME=VALUE` about the guest's state, such as
/// `READY=1` and `EXIT_STATUS=0`. Each connection carries one message.
final class NotifyConversation: Conversation {
    private let ingest: RecordIngest
    private var text: [UInt8] = []
    private let now: () -> Int64

    /// Maximum size of a message, in bytes.
    private static let limit = 64 << 10

    /// `now` returns the time in nanoseconds since the Unix epoch.
    init(_ guest: GuestState, log: GuestLog, host: any ConversationHost, now: @escaping () -> Int64) {
        ingest = RecordIngest(log, guest: guest, policy: .wait, host: host)
        self.now = now
    }

    var memory: Int { text.count + ingest.memory }
    var isWaiting: Bool { !ingest.isIdle }

    func receive(_ bytes: UnsafeRawBufferPointer) {
        text.append(contentsOf: bytes.prefix(max(0, Self.limit - text.count)))
    }

    func advance() -> ConversationState {
        ingest.advance()
    }

    func end() -> ConversationState {
        let lines = text.split(separator: Lines.feed)
        text = []
        if let record = Self.record(lines) {
            ingest.add([StoredRecord(record, time: now())])
        }
        return ingest.finish()
    }

    /// The message as a record: its assignments are fields, its text is the line that says most.
    static func record(_ lines: [ArraySlice<UInt8>]) -> StructuredRecord? {
        var record = StructuredRecord()
        for line in lines.prefix(JournalExportParser.Limits().fields) {
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")), equals > line.startIndex else {
                continue
            }
            record.fields.append(
                StructuredRecord.Field(Array(line[..<equals]), [Array(line[(equals + 1)...])])
            )
        }
        guard let first = lines.first, !record.fields.isEmpty else {
            return nil
        }
        let status = lines.first { $0.starts(with: "STATUS=".utf8) }.map { $0.dropFirst(7) }
        let message = StructuredRecord.Field(Array("MESSAGE".utf8), [Array(status ?? first)])
        return StructuredRecord(joining: [message] + record.fields)
    }
}
