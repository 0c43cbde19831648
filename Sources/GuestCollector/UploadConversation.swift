// SPDX-License-Identifier: Apache-2.0

import GuestChannel
import LogModel
import TextFormats

/// `POST /upload`, as systemd-journal-upload sends it: a body in the Journal Export Format, answered with 202 when all of
/// its entries are committed. The client stops for good at any other answer, so an entry with a fault is omitted, and
/// what follows it is stored.
final class UploadConversation: Conversation {
    private let guest: GuestState
    private let ingest: RecordIngest
    private unowned let host: any ConversationHost
    private var reader = UploadReader()
    private var parser = JournalExportParser()
    private var head: UploadReader.Head?
    /// Whether the request's body is complete.
    private var isComplete = false
    /// The number of committed batches at which the entries of a complete body are all committed.
    private var awaited: Int?
    private var isObserving = false

    init(_ guest: GuestState, log: GuestLog, host: any ConversationHost) {
        self.guest = guest
        self.host = host
        ingest = RecordIngest(log, guest: guest, policy: .wait, host: host)
    }

    deinit {
        ingest.log.removeObserver(self)
    }

    var memory: Int { reader.memory + parser.memory + ingest.memory }
    var isWaiting: Bool { !ingest.isIdle }

    func receive(_ bytes: UnsafeRawBufferPointer) {
        reader.append(bytes)
    }

    func advance() throws -> ConversationState {
        do {
            return try handle()
        } catch let error as UploadError {
            answer(error.status, "\(error)", isLast: true)
            throw error
        } catch let fault as JournalExportFault {
            answer(400, "\(fault)", isLast: true)
            throw fault
        }
    }

    func end() -> ConversationState { .ended }

    private func handle() throws -> ConversationState {
        while true {
            let progress = ingest.advance()
            guard progress == .needsBytes else {
                return progress
            }
            if isComplete {
                // Everything is given to the log here.
                let last = awaited ?? ingest.log.givenBatches
                awaited = last
                guard ingest.log.committedBatches >= last else {
                    return .blocked
                }
                (isComplete, awaited) = (false, nil)
                let isLast = head?.isKeptAlive == false
                answer(202, "", isLast: isLast)
                if isLast {
                    return .ended
                }
            }
            guard let event = try reader.next() else {
                return .needsBytes
            }
            switch event {
            case .request(let head): try begin(head)
            case .body(let bytes): try receiveBody(bytes)
            case .end: finish()
            }
        }
    }

    private func begin(_ head: UploadReader.Head) throws(UploadError) {
        self.head = head
        guard head.path == "/upload" else {
            throw UploadError(404, "there is only POST /upload here")
        }
        guard head.method == "POST" else {
            throw UploadError(405, "use POST")
        }
        if let coding = head.fields["content-encoding"], coding.lowercased() != "identity" {
            throw UploadError(415, "the content coding \(coding) is not supported; send the journal uncompressed")
        }
        if head.fields["expect"]?.lowercased() == "100-continue" {
            host.send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
        }
        if !isObserving {
            isObserving = true
            ingest.log.observe(self) { [weak self] in self?.noteCommit() }
        }
        parser = JournalExportParser()
    }

    private func receiveBody(_ bytes: [UInt8]) throws(JournalExportFault) {
        bytes.withUnsafeBytes { parser.append($0) }
        var records: [StoredRecord] = []
        while let event = try parser.next() {
            switch event {
            case .entry(let entry): records.append(StoredRecord(entry))
            case .fault(let fault): guest.logFault("guest \(guest.vm.name): an uploaded entry was left out: \(fault)")
            }
        }
        ingest.add(records)
    }

    private func finish() {
        if let entry = parser.finish() {
            ingest.add([StoredRecord(entry)])
        }
        isComplete = true
    }

    private func noteCommit() {
        if isComplete {
            host.resume()
        }
    }

    private func answer(_ status: Int, _ text: String, isLast: Bool) {
        let reasons = [202: "Accepted", 404: "Not Found", 405: "Method Not Allowed", 415: "Unsupported Media Type"]
        let body = text.isEmpty ? "" : text + "\n"
        host.send(
            Array(
                """
                HTTP/1.1 \(status) \(reasons[status] ?? "Bad Request")\r
                Content-Type: text/plain; charset=utf-8\r
                Content-Length: \(body.utf8.count)\r
                Connection: \(isLast ? "close" : "keep-alive")\r
                \r
                \(body)
                """.utf8
            )
        )
    }
}
