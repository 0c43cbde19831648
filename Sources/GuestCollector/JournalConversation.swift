// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// The Journal Export Format as a plain stream: what journald sends to `ForwardToSocket=`. journald waits for the reader
/// in the middle of its work, and every program of the guest that logs waits for journald: nothing waits here.
final class JournalConversation: Conversation {
    private let guest: GuestState
    private let ingest: RecordIngest
    private var parser = JournalExportParser()
    /// Whether an entry was received: until then it may be another protocol.
    private var hasEntry = false

    init(_ guest: GuestState, log: GuestLog, host: any ConversationHost) {
        self.guest = guest
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
        while let event = try next() {
            countOmitted()
            switch event {
            case .entry(let entry):
                hasEntry = true
                ingest.add([StoredRecord(entry)])
            case .fault(let fault):
                guard hasEntry else {
                    throw UnknownProtocol(fault)
                }
                // What follows a fault is an entry again.
                guest.logFault("guest \(guest.vm.name): an entry of its journal was left out: \(fault)")
            }
        }
        countOmitted()
        return ingest.advance()
    }

    private func next() throws -> JournalExportParser.Event? {
        do throws(JournalExportFault) {
            return try parser.next()
        } catch {
            guard hasEntry else {
                throw UnknownProtocol(error)
            }
            throw error
        }
    }

    private func countOmitted() {
        let omitted = parser.takeOmitted()
        hasEntry = hasEntry || omitted.entries > 0
        ingest.omit(omitted.entries, bytes: omitted.bytes)
    }

    func end() -> ConversationState {
        if let entry = parser.finish() {
            ingest.add([StoredRecord(entry)])
        }
        countOmitted()
        return ingest.finish()
    }
}
