// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Glibc
import LogModel
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOWebSocket
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import HTTPAPI

/// Handshakes and frames of a client.
@Suite(.limited) struct WebSocketTests {
    private func frame(_ opcode: WebSocketOpcode, _ bytes: [UInt8], fin: Bool = true, isMasked: Bool = true)
        -> WebSocketFrame
    {
        var frame = WebSocketFrame(fin: fin, opcode: opcode, data: ByteBuffer(bytes: bytes))
        if isMasked {
            frame.maskKey = [0, 0, 0, 0]
        }
        return frame
    }

    private func code(_ frames: [WebSocketFrame], _ framing: ConsoleSessionRequest.Framing = .binary)
        -> WebSocketErrorCode?
    {
        var input = WebSocketInput(framing)
        do {
            for frame in frames {
                _ = try input.take(frame)
            }
            return nil
        } catch {
            return error.code
        }
    }

    @Test("a frame that RFC 6455 forbids fails the connection with the specified code")
    func violations() throws {
        var reserved = frame(.binary, [1])
        reserved.rsv2 = true
        let three = try #require(WebSocketOpcode(encodedWebSocketOpcode: 3))
        let eleven = try #require(WebSocketOpcode(encodedWebSocketOpcode: 11))
        for frames in [
            [frame(.binary, [1], isMasked: false)], [frame(.ping, [], isMasked: false)], [reserved], [frame(three, [])],
            [frame(eleven, [])], [frame(.continuation, [1])],
            [frame(.binary, [1], fin: false), frame(.binary, [2])], [frame(.connectionClose, [3])],
            [frame(.connectionClose, [0x03, 0xed])], [frame(.connectionClose, [0x03, 0xe8, 0xff])],
        ] {
            #expect(code(frames) == .protocolError, "\(frames)")
        }
        #expect(code([frame(.text, [0xff, 0xfe])]) == .dataInconsistentWithMessage)
        #expect(code([frame(.text, [0xc3], fin: false), frame(.continuation, [])]) == .dataInconsistentWithMessage)
        #expect(code([frame(.text, Array("!!!".utf8))], .base64) == .dataInconsistentWithMessage)
    }

    @Test("the reason of a close frame fits, and no character of it is cut", arguments: ["", "a", "ab"])
    func closeReason(_ beginning: String) {
        let reason = beginning + String(repeating: "\u{1f600}", count: 40)
        let data = WebSocketStreams.closeData(reason, .policyViolation)
        let text = String(validating: data.readableBytesView.dropFirst(2), as: UTF8.self)
        #expect(data.readableBytes <= 125 && data.readableBytes > 120)
        #expect(text.map(reason.hasPrefix) == true)
    }

    @Test("a message may be fragmented, with pings in between, inside a character or a base 64 quantum")
    func fragments() throws {
        var plain = WebSocketInput(.binary)
        #expect(try plain.take(frame(.text, [0x41, 0xc3], fin: false)) == .typed(ByteBuffer(string: "A")))
        #expect(try plain.take(frame(.ping, [7])) == .ping(ByteBuffer(bytes: [7])))
        #expect(try plain.take(frame(.continuation, [0xa9])) == .typed(ByteBuffer(string: "é")))
        #expect(try plain.take(frame(.binary, [1], fin: false)) == .typed(ByteBuffer(bytes: [1])))
        #expect(try plain.take(frame(.continuation, [2])) == .typed(ByteBuffer(bytes: [2])))
        #expect(try plain.take(frame(.pong, [])) == .nothing)
        #expect(try plain.take(frame(.connectionClose, [0x03, 0xe8])) == .close)
        var coded = WebSocketInput(.base64)
        #expect(try coded.take(frame(.text, Array("cm9vd".utf8), fin: false)) == .typed(ByteBuffer(string: "roo")))
        #expect(try coded.take(frame(.continuation, Array("Ao=".utf8))) == .typed(ByteBuffer(string: "t\n")))
        #expect(try coded.take(frame(.text, Array("cg==".utf8), fin: false)) == .nothing)
        #expect(try coded.take(frame(.continuation, [])) == .typed(ByteBuffer(string: "r")))
    }

    @Test("a large frame is read in pieces, however its bytes arrive; a control frame and one beyond the limit are not")
    func division() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let mask = WebSocketMaskingKey([1, 2, 3, 4])!
        let payload = (0..<10_001).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var wire = ByteBuffer()
        func append(_ first: UInt8, _ bytes: [UInt8]) {
            wire.writeBytes(bytes.count < 126 ? [first, 0x80 | UInt8(bytes.count)] : [first, 0xfe])
            if bytes.count >= 126 {
                wire.writeInteger(UInt16(bytes.count))
            }
            wire.writeBytes([1, 2, 3, 4])
            wire.writeBytes(bytes.enumerated().map { $1 ^ mask[$0 % 4] })
        }
        append(0x82, payload)
        append(0x02, Array(payload[..<2000]))
        append(0x80, Array(payload[..<200]))
        append(0x89, Array(payload[..<125]))
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(WebSocketFrameDivider(pieceSize: 1024, limit: 20_000))
        try channel.pipeline.syncOperations.addHandler(
            ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: 1024))
        )
        while wire.readableBytes > 0 {
            let count = Int.random(in: 1...min(3000, wire.readableBytes), using: &generator)
            try channel.writeInbound(wire.readSlice(length: count)!)
        }
        var frames: [WebSocketFrame] = []
        while let frame = try channel.readInbound(as: WebSocketFrame.self) {
            frames.append(frame)
        }
        #expect(
            frames.map(\.fin) == Array(repeating: false, count: 9) + [true, false, false, true, true],
            "seed \(seed)"
        )
        #expect(frames.map(\.opcode).count { $0 == .binary } == 2 && frames.last?.opcode == .ping)
        var input = WebSocketInput(.binary)
        var typed: [UInt8] = []
        for frame in frames {
            if case .typed(let bytes) = try input.take(frame) {
                typed += Array(bytes.readableBytesView)
            }
        }
        #expect(typed == payload + payload[..<2000] + payload[..<200])
        var head = ByteBuffer(bytes: [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0x4e, 0x21, 0, 0, 0, 0])
        #expect(throws: NIOWebSocketError.self) { try channel.writeInbound(head) }
        head.clear()
        _ = try? channel.finish()
    }

    @Test("an upgrade to another protocol is ignored, and a bad handshake is refused with a message")
    func handshakes() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let guest = try fixture.addConsole("web")
        _ = guest.raw
        let token = ("X-Auth-Token", try fixture.token([.read, .console]))
        let plain = [token, ("Upgrade", "h2c"), ("Connection", "Upgrade, HTTP2-Settings"), ("HTTP2-Settings", "AAMA")]
        #expect(try await client.ask("GET", "/v1/vms", plain).status == 200)
        let good = [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "AAECAwQFBgcICQoLDA0ODw=="),
        ]
        // A VM list is not a console, whatever is requested.
        let socket = try client.connect()
        client.send(client.head("GET", "/v1/vms", [token] + good), to: socket)
        let answer = NetworkClient.answer(try #require(try await client.read(from: socket)))
        #expect(answer.status == 200)
        for (changed, value, status, word) in [
            ("Sec-WebSocket-Version", "8", 426, "Sec-WebSocket-Version"), ("Sec-WebSocket-Key", "x", 400, "16 bytes"),
            ("Sec-WebSocket-Key", nil, 400, "Sec-WebSocket-Key"), ("Upgrade", nil, 426, "Upgrade: websocket"),
        ] as [(String, String?, Int, String)] {
            let fields = good.compactMap { name, own in name == changed ? value.map { (name, $0) } : (name, own) }
            let socket = try client.connect()
            client.send(client.head("GET", "/v1/vms/web/console", [token] + fields), to: socket)
            let refused = NetworkClient.answer(try #require(try await client.read(from: socket)))
            #expect(refused.status == status, "\(changed): \(refused.text)")
            #expect(refused.json["error"]?.text?.contains(word) == true, "\(changed): \(refused.text)")
            #expect(status != 426 || refused.headers["sec-websocket-version"] == "13")
        }
    }

    @Test("a client that answers no ping is disconnected; one that does stays")
    func pings() async throws {
        var limits = APIServer.Limits.longTimeouts
        limits.pingInterval = .milliseconds(20)
        let fixture = try ServerFixture(limits: limits)
        let client = try fixture.open()
        let guest = try fixture.addConsole("web")
        _ = guest.raw
        let token = ("X-Auth-Token", try fixture.token([.console]))
        let session = try await WebSocketClient(client, "/v1/vms/web/console", [token])
        var pings = 0
        while let (opcode, bytes) = try await session.frame(), opcode != 8 {
            #expect(opcode == 9 && bytes.isEmpty)
            pings += 1
        }
        #expect(pings > 0)
        #expect(await awaits { fixture.hub.statuses().first?.watchers == 0 })
    }

    @Test("a client whose input waits for the guest is alive: its answers to pings wait behind that input")
    func waitingInput() async throws {
        var limits = APIServer.Limits.longTimeouts
        limits.pingInterval = .milliseconds(1500)
        let fixture = try ServerFixture(limits: limits)
        let client = try fixture.open()
        let guest = try fixture.addConsole("web")
        _ = guest.raw
        let token = ("X-Auth-Token", try fixture.token([.console]))
        let session = try await WebSocketClient(client, "/v1/vms/web/console", [token])
        // A frame of 60,000 bytes, with a mask of zeros.
        let frame = [0x82, 0xfe, 0xea, 0x60, 0, 0, 0, 0] + [UInt8](repeating: 65, count: 60_000)
        let typist = try Typist(frame, session)
        defer { typist.stop() }
        // Three pings after which nothing was taken.
        var (typed, pings) = (-1, 0)
        while pings < 3 {
            let (opcode, bytes) = try #require(try await session.frame())
            // Otherwise it is closed.
            try #require(opcode == 9, "\(String(decoding: bytes, as: UTF8.self))")
            pings = typist.typed == typed ? pings + 1 : 0
            typed = typist.typed
        }
        #expect(fixture.hub.statuses().first?.watchers == 1)
    }

    @Test("our client answers a ping with its data, masked, as the daemon demands of a client")
    func pong() {
        let ping = WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer(bytes: [1, 2, 3]))
        let pong = APIClient.answer(toPing: ping)
        #expect(pong.opcode == .pong && pong.fin && pong.maskKey != nil)
        // The encoder masks them.
        #expect(Array(pong.data.readableBytesView) == [1, 2, 3])
    }

    @Test("notices are text frames, the console's bytes binary ones, whole and nothing else")
    func notices() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let guest = try fixture.addConsole("web")
        let token = ("X-Auth-Token", try fixture.token([.console]))
        let first = try await WebSocketClient(client, "/v1/vms/web/console", [token])
        #expect(await awaits { fixture.hub.statuses().first?.writer != nil })
        let second = try await WebSocketClient(client, "/v1/vms/web/console", [token])
        let refusal = try #require(try await second.frame())
        #expect(refusal.opcode == 1 && String(decoding: refusal.bytes, as: UTF8.self).contains("is writing"))
        let third = try await WebSocketClient(client, "/v1/vms/web/console?mode=steal", [token])
        let notice = try #require(try await first.frame())
        #expect(notice.opcode == 1 && String(decoding: notice.bytes, as: UTF8.self).contains("has taken over"))
        writeAll(Array("hello\n".utf8), to: guest)
        for session in [first, second, third] {
            let output = try #require(try await session.frame())
            #expect(output.opcode == 2 && output.bytes == Array("hello\n".utf8))
        }
        // The reason of the end comes before the end.
        #expect(fixture.hub.remove(StreamKey(name: "web")))
        let reason = try #require(try await third.frame())
        #expect(reason.opcode == 1 && String(decoding: reason.bytes, as: UTF8.self).contains("removed this console"))
        let close = try #require(try await third.frame())
        #expect(close.opcode == 8 && close.bytes.starts(with: [0x03, 0xe8]))
        #expect(String(decoding: close.bytes.dropFirst(2), as: UTF8.self) == "guestlog has removed this console")
    }

    @Test("the end of the daemon is a close frame that tells a stop from a replacement", arguments: [false, true])
    func daemonEnds(isReplaced: Bool) async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let guest = try fixture.addConsole("web")
        _ = guest.raw
        let token = ("X-Auth-Token", try fixture.token([.console]))
        let session = try await WebSocketClient(client, "/v1/vms/web/console", [token])
        #expect(await awaits { fixture.hub.statuses().first?.watchers == 1 })
        fixture.server.announceEnd(isReplaced: isReplaced)
        let close = try #require(try await session.frame())
        #expect(close.opcode == 8 && close.bytes.starts(with: isReplaced ? [0x03, 0xf4] : [0x03, 0xe9]))
        #expect(close.bytes.count > 2)
    }

    @Test("a client that falls behind is closed with code 1013 and the reason, whether or not it takes notices")
    func cutOff() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.open()
        let guest = try fixture.addConsole("web")
        let token = ("X-Auth-Token", try fixture.token([.read, .console]))
        let body = #"{"os-getSerialConsole": {"type": "serial"}}"#
        let asked = try await client.ask("POST", "/v2.1/servers/web/action", [token], body: body)
        let secret = try #require(asked.json["console"]?["url"]?.text?.split(separator: "=").last)
        let sessions = [
            try await WebSocketClient(client, "/v1/vms/web/console?mode=watch", [token]),
            try await WebSocketClient(client, "/serial?token=\(secret)&mode=watch"),
        ]
        #expect(await awaits { fixture.hub.statuses().first?.watchers == 2 })
        // More than the sockets between the guest and a client buffer.
        let piece = [UInt8](repeating: 65, count: 63) + [10]
        for _ in 0..<24 {
            writeAll(Array(repeatElement(piece, count: 1 << 14).joined()), to: guest)
        }
        for session in sessions {
            var last: (opcode: UInt8, bytes: [UInt8])?
            while last?.opcode != 8, let frame = try await session.frame() {
                last = frame
            }
            let close = try #require(last)
            #expect(close.opcode == 8 && close.bytes.starts(with: [0x03, 0xf5]))
            #expect(String(decoding: close.bytes.dropFirst(2), as: UTF8.self).hasPrefix("cut off: "))
        }
    }
}

/// Sends a frame again and again, on a thread of its own, as fast as it is taken.
private final class Typist: @unchecked Sendable {
    // Sendable because the session's socket alone is used on the thread, and the rest is atomic.

    private let session: WebSocketClient
    private let count = Atomic(0)
    private let isStopping = Atomic(false)
    private var thread: WorkerThread?

    init(_ frame: [UInt8], _ session: WebSocketClient) throws {
        self.session = session
        thread = try WorkerThread(name: "typist") { [self] in
            var unsent = frame[...]
            while !isStopping.load(ordering: .relaxed) {
                let sent = self.session.sendSome(Array(unsent))
                unsent = sent == unsent.count ? frame[...] : unsent.dropFirst(sent)
                count.wrappingAdd(sent, ordering: .relaxed)
                self.session.awaitRoom()
            }
        }
    }

    /// How many bytes were taken.
    var typed: Int { count.load(ordering: .relaxed) }

    func stop() {
        isStopping.store(true, ordering: .relaxed)
        thread?.join()
        thread = nil
    }
}
