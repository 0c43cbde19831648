// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import LogModel

/// Syslog messages over RELP, rsyslog's protocol with acknowledgements
/// (rsyslog.com, "RELP - The Reliable Event Logging Protocol Specification", version 0).
///
/// A frame is `TXNR COMMAND DATALEN[ DATA]\n`. The receiver answers each with `TXNR rsp DATALEN CODE …`, in any order.
actor RELPLink: StreamSyslogLink {
    let peer: NetworkPeer
    let settings: ByteConnection.Settings
    var connection: ByteConnection?
    private var reader = RELPReader()
    private var transaction = 0

    /// Messages that may wait for their acknowledgements.
    private static let window = 128
    /// The largest number of a transaction; then the count begins again.
    private static let lastTransaction = 999_999_999

    init(_ peer: NetworkPeer, tls: TLSClientSettings?) {
        self.peer = peer
        settings = ByteConnection.Settings(tls: tls)
    }

    func send(_ items: [Int], of batch: OutputBatch) async -> SendResult {
        var results: [ItemResult] = []
        do {
            let connection = try await open()
            for start in stride(from: 0, to: items.count, by: Self.window) {
                let part = items[start..<min(items.count, start + Self.window)]
                results += try await exchange(part, of: batch, on: connection)
            }
            return .items(results)
        } catch {
            close()
            guard !results.isEmpty else {
                return .unavailable("\(error)")
            }
            let rest = items.count - results.count
            return .items(results + Array(repeating: .retry("\(error)"), count: rest))
        }
    }

    private func exchange(
        _ items: ArraySlice<Int>,
        of batch: OutputBatch,
        on connection: ByteConnection
    ) async throws -> [ItemResult] {
        var frames: [UInt8] = []
        var indexes: [Int: Int] = [:]
        for (index, item) in items.enumerated() {
            let range = batch.items[item].range
            indexes[nextTransaction()] = index
            frames.append(contentsOf: "\(transaction) syslog \(range.count)\(range.isEmpty ? "" : " ")".utf8)
            batch.append(item, to: &frames)
            frames.append(Lines.feed)
        }
        try await connection.write(frames, within: OutputLimits.answer)
        var results = [ItemResult?](repeating: nil, count: items.count)
        while !indexes.isEmpty {
            let answer = try await answer(on: connection)
            guard let index = indexes.removeValue(forKey: answer.transaction) else {
                throw HTTPClientError(.protocolViolation, "\(peer) acknowledged what was not sent")
            }
            results[index] =
                answer.text.hasPrefix("200") ? .delivered : .refused(String(answer.text.prefix { $0 != "\n" }))
        }
        return results.compactMap { $0 }
    }

    private func nextTransaction() -> Int {
        transaction = transaction >= Self.lastTransaction ? 1 : transaction + 1
        return transaction
    }

    /// Opens the session.
    func begin(on connection: ByteConnection) async throws {
        reader = RELPReader()
        transaction = 1
        let offer = "relp_version=0\nrelp_software=guestlog\ncommands=syslog"
        try await connection.write(Array("1 open \(offer.utf8.count) \(offer)\n".utf8), within: OutputLimits.answer)
        let answer = try await answer(on: connection)
        guard answer.transaction == 1, answer.text.hasPrefix("200") else {
            let line = answer.text.prefix { $0 != "\n" }
            throw HTTPClientError(.protocolViolation, "\(peer) refuses the session: \(line)")
        }
    }

    private func answer(on connection: ByteConnection) async throws -> RELPReader.Frame {
        let end = ContinuousClock.now + OutputLimits.answer
        while true {
            if let answer = try reader.next() {
                guard answer.command == "rsp" else {
                    throw HTTPClientError(.closed, "\(peer) ends the session")
                }
                return answer
            }
            guard let bytes = try await connection.read(until: end, of: OutputLimits.answer) else {
                throw HTTPClientError(.closed, "\(peer) closed the connection")
            }
            reader.append(bytes)
        }
    }
}

/// Cuts the frames of a RELP receiver off its bytes.
struct RELPReader {
    struct Frame: Hashable {
        var transaction: Int
        var command: String
        var text: String
    }

    private var bytes: [UInt8] = []

    /// Maximum size of a frame: answers are short.
    private static let longestFrame = 16 << 10
    private static let malformed = HTTPClientError(.protocolViolation, "the answer is not RELP")

    mutating func append(_ more: [UInt8]) {
        bytes += more
    }

    /// The next whole frame; nil when it has not arrived yet. Throws `HTTPClientError` when the bytes are not RELP.
    mutating func next() throws -> Frame? {
        // A head is three words; the third ends with a blank, or with LF when there are no data.
        let words = bytes.prefix(64).split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
        guard words.count >= 3, !words[2].isEmpty || words.count > 3 else {
            guard bytes.count <= 64 else {
                throw Self.malformed
            }
            return nil
        }
        let length = words[2].prefix(while: \.isDecimalDigit)
        guard let transaction = Self.number(words[0]), let count = Self.number(length), count <= Self.longestFrame
        else {
            throw Self.malformed
        }
        guard length.endIndex < bytes.count else {
            return nil
        }
        let start = count == 0 ? length.endIndex : length.endIndex + 1
        guard bytes.count > start + count else {
            return nil
        }
        guard bytes[start + count] == Lines.feed else {
            throw Self.malformed
        }
        let frame = Frame(
            transaction: transaction,
            command: String(decoding: words[1], as: UTF8.self),
            text: String(decoding: bytes[start..<start + count], as: UTF8.self)
        )
        bytes.removeFirst(start + count + 1)
        return frame
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        digits.count <= 9 ? Int(String(decoding: digits, as: UTF8.self)) : nil
    }
}
