// SPDX-License-Identifier: Apache-2.0

import Gzip
import HTTPClient
import LogModel
import NIOConcurrencyHelpers
import TestServers
import TestSupport
import Testing
import TestTraits
import TextFormats

@testable import Outputs

/// A message of the Forward protocol, as a receiver sees it.
private struct ForwardMessage {
    var tag: String
    var chunk: String
    var lines: [String]
    var times: [Int64] = []

    init?(_ value: MessagePackValue) {
        guard case .array(let parts) = value, parts.count == 3, let tag = parts[0].text,
            let chunk = parts[2]["chunk"]?.text
        else {
            return nil
        }
        self.tag = tag
        self.chunk = chunk
        var entries: [MessagePackValue] = []
        switch parts[1] {
        case .array(let values): entries = values
        case .bytes(let bytes):
            let isCompressed = parts[2]["compressed"]?.text == "gzip"
            let packed = isCompressed ? (try? Gzip.decompress(Array(bytes), limit: 1 << 24)) ?? [] : Array(bytes)
            var reader = MessagePackReader(packed[...])
            while let entry = try? reader.next() {
                entries.append(entry)
            }
        default: return nil
        }
        lines = entries.compactMap { entry in
            guard case .array(let parts) = entry, parts.count == 2 else {
                return nil
            }
            return parts[1]["message"]?.text
        }
        times = entries.compactMap { entry in
            guard case .array(let parts) = entry, case .extended(type: 0, let bytes) = parts[0], bytes.count == 8 else {
                return nil
            }
            let number = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return Int64(number >> 32) * 1_000_000_000 + Int64(number & 0xffff_ffff)
        }
    }
}

/// Encodes `{"ack": chunk}`.
private func acknowledgement(_ chunk: String) -> [UInt8] {
    var out: [UInt8] = []
    MessagePackWriter.append(mapOf: 1, to: &out)
    MessagePackWriter.append(string: "ack", to: &out)
    MessagePackWriter.append(string: chunk, to: &out)
    return out
}

/// A receiver whose answer to each message a test determines: the chunk it acknowledges; nil: the connection is cut.
private final class FakeFluentd: Sendable {
    let server: StandInStream
    private let received = NIOLockedValueBox<[ForwardMessage]>([])

    var messages: [ForwardMessage] { received.withLockedValue { $0 } }
    var lines: [String] { messages.flatMap(\.lines) }

    init(greeting: [UInt8] = [], _ answer: @escaping @Sendable (_ number: Int, ForwardMessage) -> String?) throws {
        let received = received
        server = try StandInStream(greeting: greeting) { bytes in
            var reader = MessagePackReader(bytes[...])
            var out: [UInt8] = []
            while let value = try? reader.next() {
                guard let message = ForwardMessage(value) else {
                    return .init(taken: reader.at, answer: nil)
                }
                let number = received.withLockedValue { received in
                    received.append(message)
                    return received.count
                }
                guard let chunk = answer(number, message) else {
                    return .init(taken: reader.at, answer: nil)
                }
                out += chunk.isEmpty ? [] : acknowledgement(chunk)
            }
            return .init(taken: reader.at, answer: out)
        }
    }

    func settings(_ mode: ForwardSettings.Mode = .compressed) -> OutputSettings {
        var settings = ForwardSettings(servers: [.network(host: "127.0.0.1", port: UInt16(server.port))])
        settings.mode = mode
        return .all(.forward(settings))
    }
}

@Suite(.limited) struct ForwardTests {
    @Test(
        "a receiver that asks for a key, or closes the connection for a wrong one, is told with what to set",
        arguments: [
            (nil, "asks for a shared key: set shared-key-file"), ("wrong", "in the handshake: check that it has"),
        ]
            as [(String?, String)]
    )
    func keys(key: String?, words: String) async throws {
        let fixture = OutputFixture()
        var helo: [UInt8] = []
        MessagePackWriter.append(arrayOf: 2, to: &helo)
        MessagePackWriter.append(string: "HELO", to: &helo)
        MessagePackWriter.append(mapOf: 1, to: &helo)
        MessagePackWriter.append(string: "nonce", to: &helo)
        MessagePackWriter.append(binary: [1, 2, 3], to: &helo)
        let server = try StandInStream(greeting: helo) { .init(taken: $0.count, answer: key == nil ? [] : nil) }
        var settings = ForwardSettings(servers: [.network(host: "127.0.0.1", port: UInt16(server.port))])
        settings.sharedKey = key.map { Array($0.utf8) }
        try fixture.append("one\n")
        let service = try fixture.start(.all(.forward(settings)))
        #expect(await awaits { await service.statuses()[0].problem?.contains(words) == true })
    }

    @Test(
        "records arrive in each mode, with their tag and times to the nanosecond",
        arguments: ForwardSettings.Mode.allCases
    )
    func modes(mode: ForwardSettings.Mode) async throws {
        let fixture = OutputFixture()
        let fluentd = try FakeFluentd { $1.chunk }
        try fixture.append((0..<20).map { "line \($0)\n" }.joined())
        let service = try fixture.start(fluentd.settings(mode))
        #expect(await awaits { await service.statuses()[0].counters.delivered == 20 })
        #expect(fluentd.lines == (0..<20).map { "line \($0)" })
        #expect(fluentd.messages[0].tag == "guestlog.web.console0")
        let times = fluentd.messages.flatMap(\.times)
        #expect(times.count == 20 && Set(times).count == 20 && times == times.sorted())
        #expect(times[1] == times[0] + 1)
    }

    @Test("the acknowledgement of another chunk is a failure, and the chunk is sent again with the same id")
    func staleAcknowledgement() async throws {
        let fixture = OutputFixture()
        let fluentd = try FakeFluentd { number, message in number == 1 ? "b2xk" : message.chunk }
        try fixture.append("line 0\n")
        let service = try fixture.start(fluentd.settings())
        #expect(await awaits { await service.statuses()[0].counters.delivered == 1 })
        #expect(fluentd.messages.count == 2)
        #expect(fluentd.messages[0].chunk == fluentd.messages[1].chunk)
        #expect(fluentd.server.connections == 2)
    }

    @Test("a connection that is cut before the acknowledgement is replaced, and the chunk is sent again")
    func cut() async throws {
        let fixture = OutputFixture()
        let fluentd = try FakeFluentd { number, message in number <= 2 ? nil : message.chunk }
        try fixture.append("line 0\nline 1\n")
        let service = try fixture.start(fluentd.settings())
        #expect(await awaits { await service.statuses()[0].counters.delivered == 2 })
        #expect(Set(fluentd.messages.map(\.chunk)).count == 1)
        #expect(fluentd.messages.allSatisfy { $0.lines == ["line 0", "line 1"] })
    }

    @Test("when the first server does not answer the next one is used")
    func severalServers() async throws {
        let fixture = OutputFixture()
        let fluentd = try FakeFluentd { $1.chunk }
        let servers: [NetworkPeer] = [
            .network(host: "127.0.0.1", port: 1), .network(host: "127.0.0.1", port: UInt16(fluentd.server.port)),
        ]
        try fixture.append("line 0\n")
        let service = try fixture.start(.all(.forward(ForwardSettings(servers: servers))))
        #expect(await awaits { await service.statuses()[0].counters.delivered == 1 })
    }

    @Test("with a shared key each side proves that it knows it")
    func handshake() throws {
        var settings = ForwardSettings(servers: [])
        settings.hostName = "client"
        settings.user = "user"
        settings.password = Array("secret".utf8) + [0xfe]
        let key: [UInt8] = [0xff, 0x6b]
        let salt: [UInt8] = [1, 2, 3]
        var handshake = ForwardHandshake(settings, sharedKey: key, salt: salt)
        let helo = MessagePackValue.array([
            .bytes(Array("HELO".utf8)[...]),
            .map([
                (.bytes(Array("nonce".utf8)[...]), .bytes([9, 9])), (.bytes(Array("auth".utf8)[...]), .bytes([8])),
                (.bytes(Array("keepalive".utf8)[...]), .bool(true)),
            ]),
        ])
        let ping = try handshake.ping(answering: helo)
        var reader = MessagePackReader(ping[...])
        guard case .array(let parts) = try reader.next() else {
            Issue.record("no array")
            return
        }
        #expect(parts[0].text == "PING" && parts[1].text == "client")
        #expect(parts[3].text == SHA512.hexadecimal(salt + Array("client".utf8) + [9, 9] + key))
        #expect(parts[4].text == "user")
        #expect(parts[5].text == SHA512.hexadecimal([8] + Array("usersecret".utf8) + [0xfe]))
        func pong(_ isAccepted: Bool, _ name: String, _ digest: String) -> MessagePackValue {
            .array([
                .bytes(Array("PONG".utf8)[...]), .bool(isAccepted), .bytes(Array("why".utf8)[...]),
                .bytes(Array(name.utf8)[...]),
                .bytes(Array(digest.utf8)[...]),
            ])
        }
        let digest = SHA512.hexadecimal(salt + Array("server".utf8) + [9, 9] + key)
        try handshake.check(pong(true, "server", digest))
        for wrong in [pong(false, "server", digest), pong(true, "server", "0"), .null, helo] {
            #expect(throws: HTTPClientError.self) { try handshake.check(wrong) }
        }
        // The server knows the key, but has the client's name.
        let own = SHA512.hexadecimal(salt + Array("client".utf8) + [9, 9] + key)
        let error = #expect(throws: HTTPClientError.self) { try handshake.check(pong(true, "client", own)) }
        #expect(error?.description.contains("the server has this client's name, client; set another hostname") == true)
    }
}

@Suite(.blocking) struct MessagePackTests {
    @Test("what is written is read")
    func roundTrip() throws {
        var out: [UInt8] = []
        let lengths = [0, 1, 31, 32, 255, 256, 65_535, 65_536]
        for length in lengths {
            MessagePackWriter.append(string: [UInt8](repeating: 0x61, count: length), to: &out)
            MessagePackWriter.append(binary: [UInt8](repeating: 0, count: length), to: &out)
        }
        let numbers: [UInt64] = [0, 127, 128, 255, 256, 65_535, 65_536, 0xffff_ffff, 0x1_0000_0000]
        for number in numbers {
            MessagePackWriter.append(unsigned: number, to: &out)
        }
        MessagePackWriter.append(eventTime: 1_700_000_000_123_456_789, to: &out)
        var reader = MessagePackReader(out[...])
        for length in lengths {
            #expect(try reader.next() == .bytes([UInt8](repeating: 0x61, count: length)[...]))
            #expect(try reader.next() == .bytes([UInt8](repeating: 0, count: length)[...]))
        }
        for number in numbers {
            #expect(try reader.next() == .integer(Int64(number)))
        }
        #expect(try reader.next() == .extended(type: 0, [0x65, 0x53, 0xf1, 0x00, 0x07, 0x5b, 0xcd, 0x15]))
        #expect(reader.isAtEnd)
    }

    @Test("lengths beyond the bytes, deep nesting and unknown forms allocate nothing and end the read")
    func hostile() {
        let samples: [[UInt8]] = [
            [0xdd, 0xff, 0xff, 0xff, 0xff], [0xdf, 0xff, 0xff, 0xff, 0xff], [0xc6, 0xff, 0xff, 0xff, 0xff, 0], [0xc1],
            [UInt8](repeating: 0x91, count: 10_000), [0xc9, 0xff, 0xff, 0xff, 0xff, 0], [],
        ]
        for sample in samples {
            var reader = MessagePackReader(sample[...])
            #expect(throws: MessagePackReader.Failure.self) { _ = try reader.next() }
        }
    }
}

@Suite(.blocking) struct SHA512Tests {
    @Test(
        "the examples of FIPS 180-4",
        arguments: [
            (
                "abc",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
            ),
            (
                "",
                "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
            ),
            (
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
                "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"
            ),
        ]
    )
    func examples(text: String, digest: String) {
        #expect(SHA512.hexadecimal(Array(text.utf8)) == digest)
    }
}
