// SPDX-License-Identifier: Apache-2.0

import Gzip
import HTTPClient
import LogModel
import TextFormats

/// Sends records by the Fluentd Forward protocol, version 1 (github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1).
///
/// The records of a stream are a chunk, which the receiver acknowledges. Only the acknowledgement of a chunk on the
/// connection on which it was sent counts. A chunk that is sent again has the same id.
actor ForwardDestination: OutputDestination {
    private let settings: ForwardSettings
    private var connection: ForwardConnection?
    /// The index of the server that answered last.
    private var server = 0

    init(_ settings: ForwardSettings) {
        self.settings = settings
    }

    /// The tag: the prefix, the VM and the stream, separated by dots.
    nonisolated func encode(_ origin: RecordOrigin) -> [UInt8] {
        var tag = settings.tagPrefix
        if let namespace = origin.vm.namespace {
            tag += "." + namespace
        }
        return Array("\(tag).\(origin.vm.name).\(origin.stream.stream)".utf8)
    }

    /// An entry, `[time, record]`.
    nonisolated func encode(_ record: OutputRecord, to out: inout [UInt8]) {
        MessagePackWriter.append(arrayOf: 2, to: &out)
        MessagePackWriter.append(eventTime: record.time, to: &out)
        let vm = record.origin.vm
        var members: [(String, String)] = [
            ("vm", vm.name), ("stream", record.origin.stream.stream.text), ("id", record.id),
        ]
        if let uuid = vm.uuid {
            members.append(("uuid", uuid))
        }
        if let namespace = vm.namespace {
            members.append(("namespace", namespace))
        }
        if record.severity != nil || record.event != nil {
            members.append(("severity", record.effectiveSeverity.name))
        }
        if let event = record.event {
            members.append(("event", event.name))
        }
        if record.isPartial {
            members.append(("partial", "true"))
        }
        let fields = Self.reserved.fields(of: record)
        MessagePackWriter.append(mapOf: members.count + 1 + fields.count, to: &out)
        MessagePackWriter.append(string: "message", to: &out)
        var text: [UInt8] = []
        UTF8Text.append(record.text, to: &text)
        MessagePackWriter.append(string: text, to: &out)
        for (name, value) in members {
            MessagePackWriter.append(string: name, to: &out)
            MessagePackWriter.append(string: value, to: &out)
        }
        for field in fields {
            MessagePackWriter.append(string: field.name, to: &out)
            let value = Array(field.values.joined(separator: [Lines.feed]))
            let isText = String(validating: value, as: UTF8.self) != nil
            if isText {
                MessagePackWriter.append(string: value, to: &out)
            } else {
                MessagePackWriter.append(binary: value, to: &out)
            }
        }
    }

    private static let reserved = ReservedNames(
        "message",
        "vm",
        "stream",
        "id",
        "uuid",
        "namespace",
        "severity",
        "event",
        "partial"
    )

    func send(_ items: [Int], of batch: OutputBatch) async -> SendResult {
        let runs = batch.runs(of: items)
        var acknowledged: Set<String> = []
        var failure = ""
        let chunks = runs.map { Self.chunk(of: $0.items, in: batch) }
        do {
            let connection = try await open()
            var message: [UInt8] = []
            for (run, chunk) in zip(runs, chunks) {
                message += try self.message(run.origin, run.items, of: batch, chunk)
            }
            try await connection.write(message)
            var awaited = Set(chunks)
            while !awaited.isEmpty {
                let chunk = try await connection.acknowledgement()
                guard awaited.remove(chunk) != nil else {
                    throw HTTPClientError(
                        .protocolViolation,
                        "\(connection.peer) acknowledged a chunk that was not sent"
                    )
                }
                acknowledged.insert(chunk)
            }
        } catch {
            disconnect()
            server = (server + 1) % settings.servers.count
            failure = "\(error)"
        }
        guard !acknowledged.isEmpty else {
            return .unavailable(failure)
        }
        return .items(
            zip(runs, chunks).flatMap { run, chunk in
                run.items.map { _ in acknowledged.contains(chunk) ? ItemResult.delivered : .retry(failure) }
            }
        )
    }

    /// `[tag, entries, option]`, in the configured mode.
    private func message(
        _ origin: RecordOrigin,
        _ items: ArraySlice<Int>,
        of batch: OutputBatch,
        _ chunk: String
    ) throws -> [UInt8] {
        var entries: [UInt8] = []
        for item in items {
            batch.append(item, to: &entries)
        }
        var message: [UInt8] = []
        MessagePackWriter.append(arrayOf: 3, to: &message)
        MessagePackWriter.append(string: origin.encoded, to: &message)
        switch settings.mode {
        case .forward:
            MessagePackWriter.append(arrayOf: items.count, to: &message)
            message += entries
        case .packed:
            MessagePackWriter.append(binary: entries, to: &message)
        case .compressed:
            MessagePackWriter.append(binary: try Gzip.compress(entries), to: &message)
        }
        MessagePackWriter.append(mapOf: settings.mode == .compressed ? 3 : 2, to: &message)
        MessagePackWriter.append(string: "chunk", to: &message)
        MessagePackWriter.append(string: chunk, to: &message)
        MessagePackWriter.append(string: "size", to: &message)
        MessagePackWriter.append(unsigned: UInt64(items.count), to: &message)
        if settings.mode == .compressed {
            MessagePackWriter.append(string: "compressed", to: &message)
            MessagePackWriter.append(string: "gzip", to: &message)
        }
        return message
    }

    /// The id of a chunk: 16 bytes in base 64, the same for the same records.
    private static func chunk(of items: ArraySlice<Int>, in batch: OutputBatch) -> String {
        let first = items.first.map { batch.items[$0].id } ?? ""
        let last = items.last.map { batch.items[$0].id } ?? ""
        let hashes = [(first + "\n" + last).stableHash(), (last + "\n\(items.count)\n" + first).stableHash()]
        let bytes = hashes.flatMap { [UInt8](bigEndian: $0) }
        var text: [UInt8] = []
        bytes.withUnsafeBytes { Base64.append($0, to: &text) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The connection; to the first server that answers, if there is none.
    private func open() async throws -> ForwardConnection {
        if let connection, connection.isOpen {
            return connection
        }
        let fresh = try await ForwardConnection(to: settings.servers[server], settings)
        connection = fresh
        return fresh
    }

    private func disconnect() {
        connection?.close()
        connection = nil
    }

    func close() async {
        disconnect()
    }
}
