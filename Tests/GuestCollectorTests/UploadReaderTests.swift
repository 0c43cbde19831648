// SPDX-License-Identifier: Apache-2.0

import TestTraits
import Testing

@testable import GuestCollector

@Suite(.blocking) struct UploadReaderTests {
    private func read(_ text: String, pieces: Int = .max) throws -> (heads: [UploadReader.Head], bodies: [String]) {
        var reader = UploadReader()
        var heads: [UploadReader.Head] = []
        var bodies: [String] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            rest.prefix(pieces).withUnsafeBytes { reader.append($0) }
            rest = rest.dropFirst(pieces)
            while let event = try reader.next() {
                switch event {
                case .request(let head):
                    heads.append(head)
                    bodies.append("")
                case .body(let bytes): bodies[bodies.count - 1] += String(decoding: bytes, as: UTF8.self)
                case .end: bodies[bodies.count - 1] += "."
                }
            }
        }
        return (heads, bodies)
    }

    @Test("bodies with a length, in chunks, and without any, in pieces of any size", arguments: [1, 3, 50, .max])
    func bodies(_ pieces: Int) throws {
        let (heads, bodies) = try read(
            "POST /upload HTTP/1.1\r\nContent-Length: 3\r\nExpect:  100-continue\r\n\r\nabc"
                + "POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nA;x=y\r\n0123456789\r\n0\r\nT: x\r\n\r\n"
                + "GET / HTTP/1.0\r\n\r\n",
            pieces: pieces
        )
        #expect(bodies == ["abc.", "ab0123456789.", "."])
        #expect(heads.map(\.method) == ["POST", "POST", "GET"] && heads.map(\.isKeptAlive) == [true, true, false])
        #expect(heads[0].fields["expect"] == "100-continue" && heads[0].path == "/upload")
    }

    @Test(
        "what can be read in two ways, or in none, is refused",
        arguments: [
            "POST /upload\r\n\r\n", "POST /upload HTTP/2\r\n\r\n", "P / HTTP/1.1\r\nno colon\r\n\r\n",
            "P / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "P / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "P / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "P / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
            "P / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "P / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
            "P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
            "P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            "P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        ]
    )
    func refused(_ request: String) {
        #expect(throws: UploadError.self) { try read(request) }
    }

    @Test("a head without an end is refused at its limit, whatever its pieces")
    func limit() {
        let long = "P / HTTP/1.1\r\nX: " + String(repeating: "x", count: UploadReader.headLimit)
        for pieces in [1000, .max] {
            #expect(throws: UploadError.self) { try read(long, pieces: pieces) }
        }
    }
}
