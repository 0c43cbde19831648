// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// The Journal Export Format as a plain stream: what journald sends to `ForwardToSocket=`. journald waits for the reader
/// in the middle of its work, and every program of the guest that logs waits for journald: nothing waits here.
final class JournalConversation: Conversation {
    private let ingest: RecordIngest
    private var parser = JournalExportParser()

    init(_ guest: GuestState, log: GuestLog, host: any ConversationHost) {
        ingest = RecordIngest(log, guest: guest, policy: .drop, host: host)
    }

    var memory: Int { parser.memory + ingest.memory }
    var isWaiting: Bool { !ingest.isIdle }
    var canWait: Bool { false }

    func receive(_ bytes: UnsafeRawBufferPointer) {
        parser.append(bytes)
    }

    func advance() throws -> ConversationState {
        // Entries over the rate are counted without being made records, which takes much longer.
        parser.omitsEntries = ingest.isOverRate
        while let event = try parser.next() {
            countOmitted()
            // What follows a fault is an entry again.
            if case .entry(let entry) = event {
                ingest.add([StoredRecord(entry)])
            }
        }
        countOmitted()
        return ingest.advance()
    }

    private func countOmitted() {
        let omitted = parser.takeOmitted()
        ingest.omit(omitted.entries, bytes: omitted.bytes)
    }

    func end() -> ConversationState {
        if let entry = parser.finish() {
            ingest.add([StoredRecord(entry)])
        }
        countOmitted()
        let progress = ingest.advance()
        return progress == .needsBytes ? (ingest.isIdle ? .ended : .blocked) : progress
    }
}
