// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import GuestChannel
@testable import GuestCollector

@Suite(.blocking) struct UnaryServerTests {
    private func bytes(_ hexadecimal: String) -> [UInt8] {
        [UInt8](hexadecimal: hexadecimal.filter { $0 != " " }) ?? []
    }

    private func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt8, _ payload: [UInt8]) -> [UInt8] {
        [0, UInt8(payload.count >> 8), UInt8(payload.count & 255), type, flags, 0, 0, 0, stream] + payload
    }

    /// `:method: POST`, `:path: /p`, without a table.
    private let headers: [UInt8] = [0x83, 0x04, 0x02, 0x2f, 0x70]

    private func serve(_ stream: [UInt8], pieces: Int = .max) throws -> (calls: [UnaryServer.Call], output: [UInt8]) {
        var server = UnaryServer()
        var calls: [UnaryServer.Call] = []
        var rest = stream[...]
        while !rest.isEmpty {
            rest.prefix(pieces).withUnsafeBytes { server.append($0) }
            rest = rest.dropFirst(pieces)
            while let call = try server.next() {
                calls.append(call)
            }
        }
        return (calls, server.output)
    }

    @Test("the examples of RFC 7541, appendix C.4: Huffman's code and the table of earlier fields")
    func headerExamples() throws {
        var decoder = HeaderDecoder()
        let blocks = [
            "828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ]
        let fields = try blocks.map { try decoder.decode(bytes($0)).map { "\($0.name)=\($0.value)" } }
        #expect(fields[0] == [":method=GET", ":scheme=http", ":path=/", ":authority=www.example.com"])
        #expect(fields[1].last == "cache-control=no-cache" && fields[1][3] == ":authority=www.example.com")
        #expect(
            fields[2] == [
                ":method=GET", ":scheme=https", ":path=/index.html", ":authority=www.example.com",
                "custom-key=custom-value",
            ]
        )
    }

    @Test(
        "header blocks that are not ones are refused",
        arguments: ["80", "ff", "bf", "ffffffffffff7f", "4f", "40", "400a61", "0085ffffffffff", "3fe27f", "00ff"]
    )
    func badBlocks(_ block: String) {
        var decoder = HeaderDecoder()
        #expect(throws: HTTP2Error.self) { try decoder.decode(bytes(block)) }
    }

    /// A connection that begins with HTTP/2's preface.
    private func connection(_ frames: [UInt8]...) -> [UInt8] {
        HTTP2Frame.preface + Array(frames.joined())
    }

    @Test("a call in several frames, in pieces of any size", arguments: [1, 10, .max])
    func call(_ pieces: Int) throws {
        let stream = connection(
            frame(4, 0, 0, []),
            frame(1, 0, 1, Array(headers.prefix(2))),
            frame(9, 4, 1, Array(headers.dropFirst(2))),
            frame(0, 0, 1, [0, 0, 0, 0, 3, 7]),
            // Padded, and the last.
            frame(0, 9, 1, [2, 8, 9, 0, 0]),
            frame(99, 0, 0, [1])
        )
        let calls = try serve(stream, pieces: pieces).calls
        #expect(calls == [UnaryServer.Call(stream: 1, path: "/p", message: [7, 8, 9])])
    }

    @Test("settings and pings are acknowledged, and the client may send as much as it has sent")
    func control() throws {
        let (settings, ping) = (frame(4, 0, 0, []), frame(6, 0, 0, Array(1...8)))
        let answers = try serve(connection(settings, ping)).output
        let expected: [[UInt8]] = [frame(4, 1, 0, []), frame(6, 1, 0, Array(1...8))]
        #expect(Array(answers.suffix(26)) == Array(expected.joined()))
        let data = try serve(connection(settings, frame(1, 4, 1, headers), frame(0, 0, 1, [0, 0]))).output
        let windows: [[UInt8]] = [frame(8, 0, 0, [0, 0, 0, 2]), frame(8, 0, 1, [0, 0, 0, 2])]
        #expect(Array(data.suffix(26)) == Array(windows.joined()))
    }

    /// Whether `output` has a trailer with that status of gRPC.
    private func has(status: String, in output: [UInt8]) -> Bool {
        let trailer: [UInt8] = Array("grpc-status\u{1}\(status)".utf8)
        return output.firstRange(of: trailer) != nil
    }

    @Test(
        "a message that is compressed, or is not one, is refused with a status; the connection stays",
        arguments: [[1, 0, 0, 0, 1, 5], [0, 0, 0, 0, 2, 5], [], [0, 0, 0, 0, 0, 9]] as [[UInt8]]
    )
    func refused(_ body: [UInt8]) throws {
        let stream = connection(
            frame(1, 4, 1, headers),
            frame(0, 1, 1, body),
            frame(1, 4, 3, headers),
            frame(0, 1, 3, [0, 0, 0, 0, 0])
        )
        let (calls, output) = try serve(stream)
        #expect(calls.map(\.stream) == [3])
        #expect(has(status: "3", in: output))
    }

    @Test("a message that is too long is refused while it arrives")
    func tooLong() throws {
        var stream = connection(frame(1, 4, 1, headers))
        for _ in 0..<65 {
            stream += frame(0, 0, 1, Array(repeating: 0, count: 16 << 10))
        }
        #expect(has(status: "8", in: try serve(stream).output))
    }

    @Test("what is not HTTP/2, or has frames of any size, ends the connection")
    func violations() {
        let broken: [[UInt8]] = [
            Array("PRI * HTTP/1.0\r\n\r\nXX\r\n\r\n".utf8),
            connection([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]),
            connection(frame(1, 4, 2, headers)),
            connection(frame(1, 0, 1, headers), frame(0, 0, 1, [])),
            connection(frame(9, 4, 1, headers)),
            connection(frame(1, 12, 1, [9, 1])),
            connection(frame(6, 0, 0, [1])),
            connection(frame(1, 4, 3, headers), frame(1, 4, 1, headers)),
        ]
        for stream in broken {
            #expect(throws: HTTP2Error.self, "\(stream.suffix(20))") { try serve(stream) }
        }
    }
}
