// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import NIOPosix
import SystemIO
import Testing

@testable import HTTPAPI

/// Threads for blocking calls: the server runs on Swift's cooperative threads.
private let threads: NIOThreadPool = {
    let pool = NIOThreadPool(numberOfThreads: 16)
    pool.start()
    return pool
}()

/// A client that sends exact bytes over TCP, and waits for the response.
struct NetworkClient {
    let address: NetworkAddress

    /// A parsed response.
    struct Answer {
        var status = 0
        var headers: [String: String] = [:]
        var body: [UInt8] = []

        var text: String { String(decoding: body, as: UTF8.self) }
        var json: JSON { (try? JSON(parsing: body)) ?? .null }
    }

    /// Sends a request, and reads to the connection's end. `fields` precede the fields that every request has.
    func ask(_ method: String, _ path: String, _ fields: [(String, String)] = [], body: String = "") async throws
        -> Answer
    {
        let all =
            fields + [
                ("Connection", "close"), ("Content-Length", "\(body.utf8.count)"),
            ]
        let socket = try connect()
        send(head(method, path, all) + Array(body.utf8), to: socket)
        return Self.answer(try await readAll(from: socket))
    }

    func connect() throws -> Descriptor { try address.connect() }

    func head(_ method: String, _ path: String, _ fields: [(String, String)]) -> [UInt8] {
        let host = fields.contains { $0.0 == "Host" } ? [] : [("Host", address.description)]
        let lines = ["\(method) \(path) HTTP/1.1"] + (host + fields).map { "\($0.0): \($0.1)" } + ["", ""]
        return Array(lines.joined(separator: "\r\n").utf8)
    }

    func send(_ bytes: [UInt8], to socket: borrowing Descriptor) {
        writeAll(bytes, to: socket)
    }

    /// Everything until the other side closes.
    func readAll(from socket: borrowing Descriptor) async throws -> [UInt8] {
        var all: [UInt8] = []
        while let more = try await read(from: socket) {
            all += more
        }
        return all
    }

    /// The next bytes; nil at the end.
    func read(from socket: borrowing Descriptor) async throws -> [UInt8]? {
        let raw = socket.raw
        let count = try await threads.runIfActive {
            var waited = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
            return poll(&waited, 1, 600_000)
        }
        guard count == 1 else {
            Issue.record("nothing came for ten minutes")
            return nil
        }
        var room = [UInt8](repeating: 0, count: 65_536)
        let size = Glibc.read(raw, &room, room.count)
        return size > 0 ? Array(room.prefix(size)) : nil
    }

    static func answer(_ bytes: [UInt8]) -> Answer {
        var answer = Answer()
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
            return answer
        }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        answer.status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            answer.headers[parts[0].lowercased()] = parts[1].trimmingPrefix(" ").description
        }
        answer.body = Array(bytes[end.upperBound...])
        return answer
    }
}

/// One end of a WebSocket (RFC 6455), implemented independently.
final class WebSocketClient {
    let answer: NetworkClient.Answer
    private let client: NetworkClient
    private let socket: Descriptor
    private var rest: [UInt8]

    /// Requests an upgrade; `answer` is the response.
    init(_ client: NetworkClient, _ path: String, _ fields: [(String, String)] = []) async throws {
        self.client = client
        socket = try client.connect()
        let all = [
            ("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "AAECAwQFBgcICQoLDA0ODw=="),
        ]
        client.send(client.head("GET", path, fields + all), to: socket)
        var got: [UInt8] = []
        while got.firstRange(of: Array("\r\n\r\n".utf8)) == nil, let more = try await client.read(from: socket) {
            got += more
        }
        var answer = NetworkClient.answer(got)
        rest = answer.body
        answer.body = []
        self.answer = answer
    }

    /// Sends a frame: 1 text, 2 binary.
    func send(_ bytes: [UInt8], opcode: UInt8 = 2) {
        // A mask of zeros is valid.
        client.send([0x80 | opcode, 0x80 | UInt8(bytes.count), 0, 0, 0, 0] + bytes, to: socket)
    }

    /// Sends what the connection takes of `bytes` without waiting; returns how many that are.
    func sendSome(_ bytes: [UInt8]) -> Int {
        max(0, Glibc.send(socket.raw, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL)))
    }

    /// Waits until the connection may take more, for a moment at most.
    func awaitRoom() {
        var polled = pollfd(fd: socket.raw, events: Int16(POLLOUT), revents: 0)
        poll(&polled, 1, 20)
    }

    /// The next frame; nil at the end.
    func frame() async throws -> (opcode: UInt8, bytes: [UInt8])? {
        while true {
            if rest.count >= 2 {
                var count = Int(rest[1] & 0x7f)
                var start = 2
                if count == 126, rest.count >= 4 {
                    count = Int(rest[2]) << 8 | Int(rest[3])
                    start = 4
                }
                if rest.count >= start + count {
                    defer { rest.removeFirst(start + count) }
                    return (rest[0] & 0x0f, Array(rest[start..<start + count]))
                }
            }
            guard let more = try await client.read(from: socket) else {
                return nil
            }
            rest += more
        }
    }

    /// The reason in the next frame, when it is a refusal.
    func refusal() async throws -> String? {
        guard let (opcode, bytes) = try await frame(), opcode == 8, Int(bytes[0]) << 8 | Int(bytes[1]) == 1008 else {
            return nil
        }
        return String(decoding: bytes.dropFirst(2), as: UTF8.self)
    }

    /// Reads frames until their contents, each decoded by `decode`, end in `text`.
    func hears(_ text: String, _ decode: ([UInt8]) -> [UInt8]? = { $0 }) async throws -> Bool {
        var heard: [UInt8] = []
        while let (opcode, bytes) = try await frame(), opcode != 8 {
            heard += decode(bytes) ?? []
            if heard.suffix(text.utf8.count).elementsEqual(text.utf8) {
                return true
            }
        }
        return false
    }
}
