// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// Lines of a program in the guest that does not wait for its reader, such as Kata's agent, which writes a JSON object a
/// line. A line that is an object becomes its fields; any other is a message.
final class LinesConversation: Conversation {
    private let ingest: RecordIngest
    private var buffer: [UInt8] = []
    private var start = 0
    private var searched = 0

    /// Maximum size of a line; a longer one is cut there.
    private static let limit = 64 << 10

    init(_ guest: GuestState, log: GuestLog, host: any ConversationHost) {
        ingest = RecordIngest(log, guest: guest, policy: .drop, host: host)
    }

    var memory: Int { buffer.count + ingest.memory }
    var isWaiting: Bool { !ingest.isIdle }
    var canWait: Bool { false }

    func receive(_ bytes: UnsafeRawBufferPointer) {
        buffer.removeFirst(start)
        searched -= start
        start = 0
        buffer.append(contentsOf: bytes)
    }

    func advance() -> ConversationState {
        let isOverRate = ingest.isOverRate
        while let line = takeLine() {
            if isOverRate {
                ingest.omit(1, bytes: line.count + 1)
            } else {
                ingest.add([Self.record(line)])
            }
        }
        return ingest.advance()
    }

    func end() -> ConversationState {
        if start < buffer.count {
            ingest.add([Self.record(buffer[start...])])
            start = buffer.count
        }
        return ingest.finish()
    }

    private func takeLine() -> ArraySlice<UInt8>? {
        if let end = buffer[max(start, searched)...].firstIndex(of: Lines.feed) {
            defer { (start, searched) = (end + 1, end + 1) }
            return buffer[start..<end]
        }
        searched = buffer.count
        guard buffer.count - start >= Self.limit else {
            return nil
        }
        defer { start = buffer.count }
        return buffer[start...]
    }

    static func record(_ line: ArraySlice<UInt8>) -> StoredRecord {
        let parsed = line.withUnsafeBytes { StructuredRecord(parsing: $0) }
        let time = parsed?.values(of: Array("ts".utf8)).first ?? parsed?.values(of: Array("time".utf8)).first
        return StoredRecord(
            parsed.map { StructuredRecord(joining: $0.fields) }
                ?? StructuredRecord([StructuredRecord.Field(Array("MESSAGE".utf8), [Array(line)])]),
            time: time.flatMap { $0.withUnsafeBytes { Timestamp.nanoseconds(rfc3339: $0) } }
        )
    }
}
