// SPDX-License-Identifier: Apache-2.0

import GuestChannel
import LogModel
import TextFormats

/// Syslog over TCP (RFC 6587), as rsyslog, syslog-ng and logger(1) send it to another host. Nothing is acknowledged: the
/// sender, which has a queue of its own, waits while the guest is over its rate or the store has no space.
final class SyslogConversation: Conversation {
    private let ingest: RecordIngest
    private var frames: SyslogFrames
    private let now: () -> Timestamp
    private var fault: SyslogFrameFault?
    /// A time without an offset is taken for one of the host's zone.
    private let zone = LocalZone.system

    init(
        _ guest: GuestState,
        log: GuestLog,
        host: any ConversationHost,
        _ framing: SyslogFrames.Framing,
        now: @escaping () -> Timestamp
    ) {
        ingest = RecordIngest(log, guest: guest, policy: .wait, host: host)
        frames = SyslogFrames(framing)
        self.now = now
    }

    var memory: Int { frames.memory + ingest.memory }
    var isWaiting: Bool { !ingest.isIdle }

    func receive(_ bytes: UnsafeRawBufferPointer) {
        frames.append(bytes)
    }

    func advance() throws -> ConversationState {
        let progress = ingest.advance()
        guard progress == .needsBytes else {
            return progress
        }
        if fault == nil {
            ingest.add(takeRecords())
        }
        let state = ingest.advance()
        // What precedes a fault is stored.
        if let fault, state == .needsBytes {
            throw fault
        }
        return state
    }

    private func takeRecords() -> [StoredRecord] {
        let received = now()
        var records: [StoredRecord] = []
        do throws(SyslogFrameFault) {
            while let frame = try frames.next() {
                if let record = storedRecord(frame, received) {
                    records.append(record)
                }
            }
        } catch {
            fault = error
        }
        return records
    }

    func end() -> ConversationState {
        if let record = frames.finish().flatMap({ storedRecord($0, now()) }) {
            ingest.add([record])
        }
        return ingest.finish()
    }

    private func storedRecord(_ frame: SyslogFrames.Frame, _ received: Timestamp) -> StoredRecord? {
        let message = frame.bytes.withUnsafeBytes { SyslogMessage(parsing: $0, received: received, zone: zone) }
        return message.map {
            StoredRecord(GuestRecord($0, received: received, isTruncated: frame.isTruncated), session: nil)
        }
    }
}
