// SPDX-License-Identifier: Apache-2.0

import GuestChannel

/// ChromeOS's `vm_tools.LogCollector`: guests call it over gRPC with records of their kernel or of their programs. A call
/// is answered when its records are committed. The records have no numbers, so a guest that calls again, because it got no
/// answer, has them stored again.
final class LogCollectorConversation: Conversation {
    private let ingest: RecordIngest
    private unowned let host: any ConversationHost
    private var server = UnaryServer()
    /// The call whose records are being stored, and the number of committed batches at which they are.
    private var current: UInt32?
    private var awaited: Int?

    private static let service = "/vm_tools.LogCollector/"

    init(_ guest: GuestState, log: GuestLog, host: any ConversationHost) {
        self.host = host
        ingest = RecordIngest(log, guest: guest, policy: .wait, host: host)
        log.observe(self) { [weak host] in host?.resume() }
    }

    deinit {
        ingest.log.removeObserver(self)
    }

    var memory: Int { server.memory + ingest.memory }
    var isWaiting: Bool { !ingest.isIdle }

    func receive(_ bytes: UnsafeRawBufferPointer) {
        server.append(bytes)
    }

    func advance() throws -> ConversationState {
        defer { send() }
        while true {
            let progress = ingest.advance()
            guard progress == .needsBytes else {
                return progress
            }
            if let current {
                let last = awaited ?? ingest.log.givenBatches
                awaited = last
                guard ingest.log.committedBatches >= last else {
                    return .blocked
                }
                server.answer(current)
                (self.current, awaited) = (nil, nil)
            }
            guard let call = try server.next() else {
                return .needsBytes
            }
            handle(call)
        }
    }

    func end() -> ConversationState { .ended }

    private func handle(_ call: UnaryServer.Call) {
        let source: GuestRecord.Source
        switch call.path {
        case Self.service + "CollectKernelLogs": source = .kernel
        case Self.service + "CollectUserLogs": source = .syslog
        default:
            server.refuse(call.stream, .unimplemented, "there is no \(call.path) here")
            return
        }
        do throws(GuestChannelError) {
            let records = try call.message.span.bytes.withUnsafeBytes {
                (bytes: UnsafeRawBufferPointer) throws(GuestChannelError) in try GuestRecord.list(decoding: bytes)
            }
            current = call.stream
            ingest.add(records.map { StoredRecord(Self.completed($0, source), session: nil) })
        } catch {
            server.refuse(call.stream, .invalidArgument, "\(error)")
        }
    }

    /// The record as this protocol means it, without the fields that it does not have.
    private static func completed(_ record: GuestRecord, _ source: GuestRecord.Source) -> GuestRecord {
        GuestRecord(severity: record.severity, time: record.time, content: record.content, source: source)
    }

    private func send() {
        let output = server.takeOutput()
        if !output.isEmpty {
            host.send(output)
        }
    }
}
