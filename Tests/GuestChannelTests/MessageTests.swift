// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import GuestChannel

@Suite(.blocking) struct MessageTests {
    static let fullRecord: GuestRecord = {
        var record = GuestRecord(
            severity: .error,
            time: 1_700_000_000_123_456_789,
            content: [0xff, 0x00, 0x41],
            source: .kernel,
            facility: 0
        )
        record.sequence = 300
        record.hostname = Array("h".utf8)
        record.tag = Array("t".utf8)
        record.process = Array("12".utf8)
        record.messageID = Array("ID47".utf8)
        record.kernelSequence = 0
        record.monotonic = 123_456
        record.fields = [GuestRecord.Field(Array("K".utf8), Array("v".utf8)), GuestRecord.Field([], [])]
        record.lost = 7
        record.isTruncated = true
        return record
    }()

    private func decoded(_ bytes: [UInt8]) throws -> GuestRecord {
        try bytes.withUnsafeBytes { try GuestRecord(decoding: $0) }
    }

    @Test("a record, full or empty, is decoded as it was encoded")
    func records() throws {
        for record in [Self.fullRecord, GuestRecord()] {
            #expect(try decoded(record.encoded) == record)
        }
        for severity in Severity.allCases {
            for time in [Int64.min, -1, 0, 1, 999_999_999, 1_000_000_000, .max] {
                let record = GuestRecord(severity: severity, time: time)
                #expect(try decoded(record.encoded) == record, "\(time)")
            }
        }
    }

    @Test("ChromeOS's record has severity + 1 in field 1, a timestamp in field 2, and the content in field 5")
    func chromeOS() throws {
        let bytes: [UInt8] = [0x08, 0x04, 0x12, 0x04, 0x08, 0x05, 0x10, 0x07, 0x2a, 0x02, 0x68, 0x69]
        let record = try decoded(bytes)
        #expect(record.severity == .error && record.time == 5_000_000_007 && record.content == Array("hi".utf8))
        #expect(record.encoded == bytes)
        #expect(try decoded([0x08, 18]).severity == nil && decoded([]).severity == nil)
    }

    @Test("unknown fields of every type are skipped")
    func unknown() throws {
        let bytes: [UInt8] = [
            0xf8, 0x07, 0x01, 0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8, 0xfa, 0x07, 0x01, 0x00, 0xfd, 0x07, 1, 2, 3, 4, 0x2a,
            0x01, 0x78,
        ]
        #expect(try decoded(bytes).content == [0x78])
    }

    @Test("every truncation, and every impossible length, is refused or decoded, and never traps")
    func hostile() throws {
        let whole = Self.fullRecord.encoded
        for length in 0..<whole.count {
            _ = try? decoded(Array(whole.prefix(length)))
        }
        let huge: [UInt8] = [0x2a] + Array(repeating: 0xff, count: 9) + [0x01]
        let refused: [[UInt8]] = [
            huge, [0x2a, 0x80, 0x80, 0x80, 0x80, 0x08], [0x2b], [0x2c], [0x00, 0x00], [0x2a],
            [0x08] + Array(repeating: 0x80, count: 11), [0x12, 0x01, 0x08],
        ]
        for bytes in refused {
            #expect(throws: GuestChannelError.self, "\(bytes)") { try decoded(bytes) }
        }
        let manyFields = Array(repeating: [0x7a, 0x00] as [UInt8], count: 65).flatMap { $0 }
        #expect(throws: GuestChannelError.self) { try decoded(manyFields) }
    }

    @Test("the messages of both ends are decoded as they were encoded")
    func messages() throws {
        let session = SessionID(0x0102_0304_0506_0708, 9)
        #expect(SessionID(session.bytes) == session && session.bytes.count == 16)
        let hello = AgentMessage.Hello(
            session: session,
            acknowledged: 12,
            program: "p 1",
            boot: Array(repeating: 7, count: 16)
        )
        for message in [AgentMessage.hello(hello), .records([Self.fullRecord, GuestRecord()]), .records([])] {
            #expect(try AgentMessage(decoding: message.encoded) == message)
        }
        for message in [
            CollectorMessage.greeting(version: 1), .welcome(session: session, acknowledged: 5),
            .welcome(session: session, acknowledged: 0), .welcome(session: session, acknowledged: 7, check: .max),
            .welcome(session: session, acknowledged: 7, check: 0), .acknowledgement(.max), .acknowledgement(0),
            .refusal("no"),
        ] {
            #expect(try CollectorMessage(decoding: message.encoded) == message)
        }
        #expect(throws: GuestChannelError.self) { try AgentMessage(decoding: []) }
        #expect(throws: GuestChannelError.self) { try CollectorMessage(decoding: []) }
        var newer = hello
        newer.version = 2
        #expect(throws: GuestChannelError.version(2)) { try AgentMessage(decoding: AgentMessage.hello(newer).encoded) }
    }
}
