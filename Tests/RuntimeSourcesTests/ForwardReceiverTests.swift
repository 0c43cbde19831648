// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import Gzip
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing
import TextFormats
import Transforms

@testable import RuntimeSources

/// Writes values in tests.
enum Pack {
    static func text(_ text: String) -> [UInt8] { bytes { MessagePackWriter.append(string: text, to: &$0) } }
    static func bytes(_ body: (inout [UInt8]) -> Void) -> [UInt8] {
        var out: [UInt8] = []
        body(&out)
        return out
    }
    static func array(_ elements: [UInt8]...) -> [UInt8] {
        bytes { MessagePackWriter.append(arrayOf: elements.count, to: &$0) } + elements.flatMap { $0 }
    }
    static func map(_ members: (String, [UInt8])...) -> [UInt8] {
        bytes { MessagePackWriter.append(mapOf: members.count, to: &$0) } + members.flatMap { text($0.0) + $0.1 }
    }
    static func time(_ nanoseconds: Int64) -> [UInt8] {
        bytes { MessagePackWriter.append(eventTime: nanoseconds, to: &$0) }
    }
    static func binary(_ contents: [UInt8]) -> [UInt8] { bytes { MessagePackWriter.append(binary: contents, to: &$0) } }

    static func entry(_ message: String, at nanoseconds: Int64 = 1_763_658_005_123_456_789) -> [UInt8] {
        array(time(nanoseconds), map(("message", text(message))))
    }

    /// A message with `lines`, in each mode.
    static func message(_ mode: Mode, _ lines: [String], chunk: String? = nil) throws -> [UInt8] {
        var option = chunk.map { [("chunk", text($0))] } ?? []
        let entries = lines.map { entry($0) }
        let body: [UInt8]
        switch mode {
        case .forward:
            body = bytes { MessagePackWriter.append(arrayOf: entries.count, to: &$0) } + entries.flatMap { $0 }
        case .packed: body = binary(entries.flatMap { $0 })
        case .packedText: body = bytes { MessagePackWriter.append(string: entries.flatMap { $0 }, to: &$0) }
        case .compressed:
            // Two members, one after the other.
            let half = entries.count / 2
            body = binary(
                try Gzip.compress(entries[..<half].flatMap { $0 }) + Gzip.compress(entries[half...].flatMap { $0 })
            )
            option.append(("compressed", text("gzip")))
        }
        let members = option.flatMap { text($0.0) + $0.1 }
        return array(text("app.web"), body, bytes { MessagePackWriter.append(mapOf: option.count, to: &$0) } + members)
    }

    enum Mode: CaseIterable, Sendable { case forward, packed, packedText, compressed }
}

/// A receiver at a Unix socket, and the store that it feeds.
private final class ReceiverFixture {
    let fixture: SourceFixture
    let path: String
    private var interruption: Interruption
    private var thread: WorkerThread?
    private let key: String?

    init(key: String? = nil) throws {
        let fixture = try SourceFixture()
        self.fixture = fixture
        path = fixture.folder.path + "/forward"
        self.key = try key.map { key in
            // A link, as in a mounted secret of Kubernetes.
            let link = fixture.folder.path + "/key"
            symlink(try fixture.write(key, "key.1"), link)
            return link
        }
        interruption = try Interruption()
        try start()
    }

    deinit {
        stop()
    }

    func start() throws {
        var options = ForwardOptions(endpoint: .path(path), hostName: "receiver")
        options.sharedKeyFile = key
        var source = SourceFixture.source()
        source.kind = .forward(options)
        source.vmFields = [Array("vm".utf8)]
        interruption = try Interruption()
        let receiver = try ForwardReceiver(
            source,
            options,
            pipeline: Pipeline(),
            into: fixture.capture,
            interruption: interruption
        )
        thread = try WorkerThread(name: "forward") { try? receiver.run() }
    }

    func stop() {
        interruption.raise()
        thread?.join()
        thread = nil
    }

    func restart() throws {
        stop()
        try fixture.restart()
        try start()
    }

    func connect() throws -> Peer {
        var socket: Int32?
        #expect(
            eventually {
                do throws(SystemError) {
                    socket = try UnixSocket.connect(to: self.path).release()
                    return true
                } catch {
                    return false
                }
            }
        )
        return Peer(Descriptor(owning: try #require(socket)))
    }
}

/// The other end of a connection.
private final class Peer {
    private let socket: Descriptor
    private var received: [UInt8] = []

    init(_ socket: consuming Descriptor) {
        self.socket = socket
    }

    func send(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                wait(Int16(POLLOUT))
            } else {
                return
            }
        }
    }

    private func wait(_ events: Int16) {
        var request = pollfd(fd: socket.raw, events: events, revents: 0)
        _ = poll(&request, 1, 600_000)
    }

    /// The next value that the receiver sends; nil when it closes the connection.
    func next() -> MessagePackValue? {
        while true {
            var reader = MessagePackReader(received[...])
            if let value = try? reader.next() {
                received.removeFirst(reader.at)
                return value
            }
            wait(Int16(POLLIN))
            var piece = [UInt8](repeating: 0, count: 4096)
            let count = read(socket.raw, &piece, piece.count)
            guard count > 0 else {
                return nil
            }
            received += piece[..<count]
        }
    }
}

@Suite(.blocking) struct ForwardReceiverTests {
    @Test("each mode is stored, acknowledged by its chunk, with times to the nanosecond", arguments: Pack.Mode.allCases)
    func modes(mode: Pack.Mode) throws {
        let receiver = try ReceiverFixture()
        let peer = try receiver.connect()
        // Fluentd's ids end with a line feed.
        peer.send(try Pack.message(mode, (0..<20).map { "line \($0)" }, chunk: "YWJj\n"))
        #expect(peer.next()?["ack"]?.text == "YWJj\n")
        let lines = try receiver.fixture.lines()
        #expect(lines.count == 20)
        #expect(lines[3] == #"{"GUESTLOG_TIME":"2025-11-20T17:00:05.123456789Z","message":"line 3","tag":"app.web"}"#)
    }

    @Test(
        "a single message, seconds without a fraction, and Fluent Bit's metadata are understood; a heartbeat is ignored"
    )
    func others() throws {
        let receiver = try ReceiverFixture()
        let peer = try receiver.connect()
        let record = Pack.map(("n", [7]), ("deep", Pack.map(("a", [0xc0]), ("b", Pack.array([1], [0xc3])))))
        peer.send([0xc0])
        peer.send(Pack.array(Pack.text("t"), [0xce, 0x69, 0x1f, 0x49, 0x15], record))
        let metadata = Pack.array(Pack.array(Pack.time(1_000_000_000), Pack.map()), Pack.map(("vm", Pack.text("web"))))
        peer.send(Pack.array(Pack.text("t"), Pack.array(metadata), Pack.map(("chunk", Pack.text("c")))))
        #expect(peer.next()?["ack"]?.text == "c")
        #expect(
            try receiver.fixture.lines() == [
                #"{"GUESTLOG_TIME":"2025-11-20T17:00:05.000000000Z","n":7,"deep.a":null,"deep.b":[1,true],"tag":"t"}"#
            ]
        )
        #expect(
            try receiver.fixture.lines(of: "web") == [
                #"{"GUESTLOG_TIME":"1970-01-01T00:00:01.000000000Z","vm":"web","tag":"t"}"#
            ]
        )
    }

    @Test("a chunk that is sent again is acknowledged again and stored once, on the same and another connection")
    func repeats() throws {
        let receiver = try ReceiverFixture()
        let message = try Pack.message(.packed, ["one", "two"], chunk: "c")
        for _ in 0..<2 {
            let peer = try receiver.connect()
            peer.send(message + message)
            #expect(peer.next()?["ack"]?.text == "c")
            #expect(peer.next()?["ack"]?.text == "c")
        }
        #expect(try receiver.fixture.lines().count == 2)
    }

    @Test("of a damaged chunk what can be read is stored once, the rest is a gap, and its sender goes on")
    func damaged() throws {
        let receiver = try ReceiverFixture()
        let option = Pack.map(("chunk", Pack.text("c")))
        let entries = Pack.entry("good") + Pack.entry("cut").dropLast(4)
        let cut = Pack.array(Pack.text("t"), Pack.binary(entries), option)
        let peer = try receiver.connect()
        peer.send(cut + cut)
        #expect(peer.next()?["ack"]?.text == "c")
        #expect(peer.next()?["ack"]?.text == "c")
        let compressed = try Gzip.compress(entries).dropLast(6)
        let damaged = Pack.array(
            Pack.text("t"),
            Pack.binary(Array(compressed)),
            Pack.map(("chunk", Pack.text("d")), ("compressed", Pack.text("gzip")))
        )
        peer.send(damaged)
        #expect(peer.next()?["ack"]?.text == "d")
        peer.send(try Pack.message(.packed, ["next"], chunk: "e"))
        #expect(peer.next()?["ack"]?.text == "e")
        #expect(try receiver.fixture.lines().count == 2)
        #expect(try eventually { try receiver.fixture.gapCount(of: "host") == 2 })
        // After a restart numbers begin anew.
        try receiver.restart()
        let other = try receiver.connect()
        other.send(damaged)
        #expect(other.next()?["ack"]?.text == "d")
        #expect(try eventually { try receiver.fixture.gapCount(of: "host") == 3 })
    }

    @Test("a chunk with records that the store refuses is not acknowledged", arguments: Pack.Mode.allCases)
    func refusal(mode: Pack.Mode) throws {
        let receiver = try ReceiverFixture()
        try receiver.fixture.storeConsole()
        for _ in 0..<2 {
            let peer = try receiver.connect()
            peer.send(try Pack.message(mode, ["one", "two"], chunk: "c"))
            #expect(peer.next() == nil)
        }
        #expect(try receiver.fixture.lines() == ["login:"])
        // The receiver does not keep the stream for itself.
        try receiver.fixture.capture.openRecords(SourceFixture.key, options: .console).close()
    }

    @Test("what was acknowledged is there after a restart, and what comes then is stored too")
    func restart() throws {
        let receiver = try ReceiverFixture()
        for round in 0..<3 {
            let peer = try receiver.connect()
            peer.send(try Pack.message(.forward, ["round \(round)"], chunk: "\(round)"))
            #expect(peer.next()?["ack"]?.text == "\(round)")
            try receiver.restart()
            #expect(try receiver.fixture.lines().count == round + 1)
        }
    }

    @Test("bytes one at a time, and many messages at once, are the same messages")
    func pieces() throws {
        let receiver = try ReceiverFixture()
        let peer = try receiver.connect()
        for byte in try Pack.message(.compressed, ["a", "b"], chunk: "1") {
            peer.send([byte])
        }
        #expect(peer.next()?["ack"]?.text == "1")
        peer.send(try (2..<50).flatMap { try Pack.message(.packed, ["x"], chunk: "\($0)") })
        for number in 2..<50 {
            #expect(peer.next()?["ack"]?.text == "\(number)")
        }
        #expect(try receiver.fixture.lines().count == 50)
    }

    @Test("a sender that knows the shared key is admitted; another is not, and stores nothing")
    func sharedKey() throws {
        let receiver = try ReceiverFixture(key: "secret\r\n")
        func greet(_ key: String, host: String = "sender") throws -> (peer: Peer, pong: MessagePackValue?) {
            let peer = try receiver.connect()
            guard case .array(let helo)? = peer.next(), helo.first?.text == "HELO", let nonce = helo[1]["nonce"]?.text
            else {
                Issue.record("no HELO")
                return (peer, nil)
            }
            let digest = SHA512.hexadecimal(Array("salt\(host)\(nonce)\(key)".utf8))
            let texts = ["PING", host, "salt", digest, "", ""].map { Pack.text($0) }
            peer.send(Pack.array(texts[0], texts[1], texts[2], texts[3], texts[4], texts[5]))
            let pong = peer.next()
            if case .array(let parts)? = pong {
                #expect(parts[4].text == SHA512.hexadecimal(Array("saltreceiver\(nonce)\(key)".utf8)))
            }
            return (peer, pong)
        }
        let (peer, pong) = try greet("secret")
        #expect(pong != nil)
        peer.send(try Pack.message(.packed, ["admitted"], chunk: "c"))
        #expect(peer.next()?["ack"]?.text == "c")
        #expect(try greet("other").pong == nil)
        #expect(try greet("secret", host: "receiver").pong == nil)
        let rude = try receiver.connect()
        rude.send(try Pack.message(.packed, ["not admitted"], chunk: "d"))
        _ = rude.next()
        #expect(rude.next() == nil)
        #expect(try receiver.fixture.lines().count == 1)
    }

    @Test("what is no Forward message, or a bomb, ends its connection and no other")
    func hostile() throws {
        let receiver = try ReceiverFixture()
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        let bomb = try (0..<80).flatMap { _ in try Gzip.compress(zeros) }
        let hostile: [[UInt8]] = [
            Array(#"["tag", 1, {"a": 1}]"#.utf8), [0xc1], [0xdd, 0xff, 0xff, 0xff, 0xff],
            Pack.array(Pack.text("t"), Pack.binary(bomb), Pack.map(("compressed", Pack.text("gzip")))),
            Pack.array(Pack.text("t"), Pack.binary([1, 2]), Pack.map(("compressed", Pack.text("zstd")))),
            [UInt8](repeating: 0x91, count: 200) + [0],
            [0x92, 0xa1, 0x74, 0xdd, 0x00, 0x1e, 0x84, 0x80] + [UInt8](repeating: 0, count: 2_000_000),
        ]
        let good = try receiver.connect()
        for bytes in hostile {
            let peer = try receiver.connect()
            peer.send(bytes)
            #expect(peer.next() == nil)
        }
        good.send(try Pack.message(.forward, ["good"], chunk: "c"))
        #expect(good.next()?["ack"]?.text == "c")
        #expect(try receiver.fixture.lines().count == 1)
    }
}
