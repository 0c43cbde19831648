// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ConsoleHub

/// Telnet servers: what is output, and what is answered, however the bytes are cut.
@Suite struct TelnetStreamTests {
    /// What a stream decodes of pieces of `bytes`, and answers.
    private func decode(
        _ bytes: [UInt8],
        piece: Int,
        with stream: inout TelnetStream
    ) -> (output: [UInt8], answer: [UInt8]) {
        var (output, answer): ([UInt8], [UInt8]) = ([], [])
        for start in stride(from: 0, to: bytes.count, by: piece) {
            var part = Array(bytes[start..<min(bytes.count, start + piece)])
            let count = part.withUnsafeMutableBytes { stream.decode($0, answer: &answer) }
            output += part.prefix(count)
        }
        return (output, answer)
    }

    private func decode(_ bytes: [UInt8], piece: Int = 1000) -> (output: [UInt8], answer: [UInt8]) {
        var stream = TelnetStream()
        return decode(bytes, piece: piece, with: &stream)
    }

    private static let greeting: [UInt8] = [
        255, 251, 1, 255, 251, 3, 255, 253, 3, 255, 251, 0, 255, 253, 0, 255, 253, 24, 255, 251, 34,
        255, 250, 24, 1, 255, 255, 65, 255, 240, 255, 241,
    ]

    @Test("a server's options are answered once, and its commands are no output, wherever the bytes are cut")
    func negotiates() {
        let bytes = Self.greeting + Array("login: ".utf8) + [255, 255, 13, 0, 10] + Self.greeting
        for piece in 1...bytes.count {
            let (output, answer) = decode(bytes, piece: piece)
            // With binary transmission a NUL after CR is output.
            #expect(output == Array("login: ".utf8) + [255, 13, 0, 10], "in pieces of \(piece)")
            #expect(
                answer == [
                    255, 253, 1, 255, 253, 3, 255, 251, 3, 255, 253, 0, 255, 251, 0, 255, 252, 24, 255, 254, 34,
                ]
            )
        }
    }

    @Test("a subnegotiation without an end does not swallow the output")
    func endless() {
        let text = [UInt8](repeating: UInt8(ascii: "x"), count: 5000)
        let output = decode([255, 251, 1, 255, 250, 24] + text).output
        #expect(output.count > 4700 && output.allSatisfy { $0 == UInt8(ascii: "x") })
    }

    @Test("without binary transmission a NUL after a carriage return is none, and is sent after one")
    func carriageReturns() {
        for piece in 1...8 {
            var stream = TelnetStream()
            let output = decode([255, 251, 1, 97, 13, 0, 13, 10, 0], piece: piece, with: &stream).output
            #expect(output == [97, 13, 13, 10, 0])
            #expect([UInt8]([13, 255, 97]).withUnsafeBytes(stream.encode) == [13, 0, 255, 255, 97])
        }
    }

    @Test("an option that is switched off is acknowledged, and may come on again; what was not on is not answered")
    func changes() {
        let echo = decode([255, 251, 1, 255, 252, 1, 255, 252, 1, 255, 251, 1]).answer
        #expect(echo == [255, 253, 1, 255, 254, 1, 255, 253, 1])
        #expect(decode([255, 253, 3, 255, 254, 3, 255, 254, 3]).answer == [255, 251, 3, 255, 252, 3])
        #expect(decode([255, 252, 5, 255, 254, 5]).answer == [])
    }

    @Test("two ends that answer each other come to rest")
    func noLoop() {
        var (left, right) = (TelnetStream(), TelnetStream())
        var message: [UInt8] = [255, 251, 1, 255, 253, 0, 255, 253, 24, 255, 251, 24]
        var rounds = 0
        while !message.isEmpty, rounds < 10 {
            message = decode(message, piece: 1000, with: &left).answer
            swap(&left, &right)
            rounds += 1
        }
        #expect(rounds < 5)
    }

    @Test("only a negotiation at the very beginning is a Telnet server's")
    func begins() {
        func begins(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes(TelnetStream.begins) }
        #expect(begins([255, 251, 1]) && begins([255, 254]) && begins([255]))
        #expect(!begins([]) && !begins([97, 255, 251, 1]) && !begins([255, 65]) && !begins([255, 255]))
    }
}
