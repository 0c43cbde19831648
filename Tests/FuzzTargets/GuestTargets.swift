// SPDX-License-Identifier: Apache-2.0

import GuestChannel
import LogModel

@testable import GuestCollector
@testable import TextFormats

// Parsers of what programs in guests send.
extension FuzzTarget {
    static func syslog(_ bytes: [UInt8]) throws {
        for hours in [0, -5, 14] {
            try syslog(bytes, zone: LocalZone { _ in hours * 3600 })
        }
    }

    private static func syslog(_ bytes: [UInt8], zone: LocalZone) throws {
        let received = Timestamp(seconds: 1_800_000_000)
        guard let message = bytes.withUnsafeBytes({ SyslogMessage(parsing: $0, received: received, zone: zone) }) else {
            return
        }
        try require(message.content.count <= bytes.count, "more content than bytes")
        try require(message.headerLength <= bytes.count, "a header that is longer than the message")
        if let time = message.time {
            // Whatever is taken for a time can be written.
            _ = Timestamp.rfc3339(nanoseconds: time)
        }
    }

    static func kmsg(_ bytes: [UInt8]) throws {
        guard let message = bytes.withUnsafeBytes({ KernelMessage(parsing: $0) }) else {
            return
        }
        let size = message.attributes.reduce(message.text.count) { $0 + $1.key.count + $1.value.count }
        try require(size <= bytes.count, "more text than bytes")
    }

    /// The first byte is the size of the pieces in which the rest arrives.
    static func journal(_ bytes: [UInt8]) throws {
        var limits = JournalExportParser.Limits()
        limits.entry = 64
        let whole = journalEvents(Array(bytes.dropFirst()), pieces: .max, limits: limits)
        for event in whole {
            guard case .entry(let entry) = event else {
                continue
            }
            let size = entry.fields.reduce(0) { $0 + $1.name.count + $1.value.count }
            try require(size <= limits.entry, "an entry of \(size) bytes")
            _ = StoredRecord(entry)
        }
        limits.entry = 1 << 20
        let all = journalEvents(Array(bytes.dropFirst()), pieces: .max, limits: limits)
        let pieces = journalEvents(Array(bytes.dropFirst()), pieces: Int(bytes.first ?? 0) % 7 + 1, limits: limits)
        try require(all == pieces, "the entries depend on where the stream is divided: \(all), \(pieces)")
        var omitted = 0
        let faults = journalEvents(Array(bytes.dropFirst()), pieces: .max, limits: limits, omitted: &omitted)
        try require(omitted + faults.count == all.count, "\(omitted) entries are omitted, of \(all)")
    }

    private static func journalEvents(
        _ bytes: [UInt8],
        pieces: Int,
        limits: JournalExportParser.Limits
    ) -> [JournalExportParser.Event] {
        var parser = JournalExportParser(limits: limits)
        return journalEvents(bytes, pieces: pieces, &parser)
    }

    /// The faults of a stream whose entries are all omitted, and their number.
    private static func journalEvents(
        _ bytes: [UInt8],
        pieces: Int,
        limits: JournalExportParser.Limits,
        omitted: inout Int
    ) -> [JournalExportParser.Event] {
        var parser = JournalExportParser(limits: limits)
        parser.omitsEntries = true
        let events = journalEvents(bytes, pieces: pieces, &parser)
        omitted = parser.takeOmitted().entries
        return events
    }

    private static func journalEvents(
        _ bytes: [UInt8],
        pieces: Int,
        _ parser: inout JournalExportParser
    ) -> [JournalExportParser.Event] {
        var events: [JournalExportParser.Event] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            rest.prefix(pieces).withUnsafeBytes { parser.append($0) }
            rest = rest.dropFirst(pieces)
            do throws(JournalExportFault) {
                while let event = try parser.next() {
                    events.append(event)
                }
            } catch {
                return events
            }
        }
        return events
    }

    /// Both directions of the agent's protocol, and ChromeOS's message.
    static func guestMessage(_ bytes: [UInt8]) throws {
        if let message = try? AgentMessage(decoding: bytes) {
            try require(try AgentMessage(decoding: message.encoded) == message, "\(message) changes when it is encoded")
            if case .records(let records) = message {
                for record in records {
                    let line = StoredRecord(record, session: SessionID(0, 0)).line
                    try require(!line.contains(Lines.feed), "a line feed in a record")
                    try require((try? JSON(parsing: line)) != nil, "a record that is not JSON")
                }
            }
        }
        if let message = try? CollectorMessage(decoding: bytes) {
            _ = try CollectorMessage(decoding: message.encoded)
        }
        _ = try? bytes.withUnsafeBytes { try GuestRecord.list(decoding: $0) }
    }

    /// Frames on a stream that is divided by the first byte.
    static func guestFrame(_ bytes: [UInt8]) throws {
        let stream = Array(bytes.dropFirst())
        let pieces = Int(bytes.first ?? 0) % 5 + 1
        for resynchronizes in [true, false] {
            var decoder = FrameDecoder(resynchronizes: resynchronizes)
            var size = 0
            var rest = stream[...]
            while !rest.isEmpty {
                rest.prefix(pieces).withUnsafeBytes { decoder.append($0) }
                rest = rest.dropFirst(pieces)
                repeat {
                    while let payload = try? decoder.next() {
                        size += payload.count
                    }
                } while decoder.expire()
            }
            try require(size <= stream.count, "more payload than bytes")
        }
    }

    /// HTTP requests of an upload, divided by the first byte.
    static func upload(_ bytes: [UInt8]) throws {
        let stream = Array(bytes.dropFirst())
        let whole = uploadEvents(stream, pieces: .max)
        let divided = uploadEvents(stream, pieces: Int(bytes.first ?? 0) % 7 + 1)
        try require(whole == divided, "the requests depend on where the stream is divided: \(whole), \(divided)")
    }

    private static func uploadEvents(_ bytes: [UInt8], pieces: Int) -> [String] {
        var reader = UploadReader()
        var events: [String] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            rest.prefix(pieces).withUnsafeBytes { reader.append($0) }
            rest = rest.dropFirst(pieces)
            do throws(UploadError) {
                while let event = try reader.next() {
                    switch event {
                    case .request(let head): events.append("\(head.method) \(head.path)")
                    case .body(let bytes):
                        // Pieces of a body are as the stream was divided.
                        let text = bytes.map { String($0) }.joined(separator: ",") + ","
                        if events.last?.hasPrefix("body ") == true {
                            events[events.count - 1] += text
                        } else {
                            events.append("body " + text)
                        }
                    case .end: events.append("end")
                    }
                }
            } catch {
                return events
            }
        }
        return events
    }

    /// An HTTP/2 connection with gRPC calls, without its preface; divided by the first byte.
    static func unary(_ bytes: [UInt8]) throws {
        let stream = HTTP2Frame.preface + bytes.dropFirst()
        let whole = unaryCalls(stream, pieces: .max)
        let divided = unaryCalls(stream, pieces: Int(bytes.first ?? 0) % 7 + 1)
        try require(whole == divided, "the calls depend on where the stream is divided")
    }

    /// What a server of gRPC answers, divided by the first byte, while a call that needs a window lasts.
    static func unaryAnswer(_ bytes: [UInt8]) throws {
        let stream = Array(bytes.dropFirst())
        let whole = try unaryOutcomes(stream, pieces: .max)
        let divided = try unaryOutcomes(stream, pieces: Int(bytes.first ?? 0) % 7 + 1)
        try require(whole == divided, "the outcomes depend on where the stream is divided")
    }

    private static func unaryOutcomes(_ bytes: [UInt8], pieces: Int) throws -> [UnaryClient.Outcome] {
        var client = UnaryClient()
        var outcomes: [UnaryClient.Outcome] = []
        var rest = bytes[...]
        var sent = 0
        client.call("/s/m", [UInt8](repeating: 0, count: 100_000))
        while !rest.isEmpty {
            rest.prefix(pieces).withUnsafeBytes { client.append($0) }
            rest = rest.dropFirst(pieces)
            do throws(HTTP2Error) {
                while let outcome = try client.next() {
                    outcomes.append(outcome)
                    client.call("/s/m", [1])
                }
            } catch {
                return outcomes
            }
            sent += client.takeOutput().count
        }
        try require(sent < 400_000 + 100 * bytes.count, "more is sent than there is")
        return outcomes
    }

    private static func unaryCalls(_ bytes: [UInt8], pieces: Int) -> [UnaryServer.Call] {
        var server = UnaryServer()
        var calls: [UnaryServer.Call] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            rest.prefix(pieces).withUnsafeBytes { server.append($0) }
            rest = rest.dropFirst(pieces)
            do throws(HTTP2Error) {
                while let call = try server.next() {
                    server.answer(call.stream)
                    calls.append(call)
                }
            } catch {
                return calls
            }
        }
        return calls
    }
}
