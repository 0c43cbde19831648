// SPDX-License-Identifier: Apache-2.0

import TestTraits
import Testing
import TextFormats

@Suite(.blocking) struct SyslogFramesTests {
    private func frames(_ text: String, _ framing: SyslogFrames.Framing, pieces: Int) throws -> [String] {
        var frames = SyslogFrames(framing)
        var found: [SyslogFrames.Frame] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            rest.prefix(pieces).withUnsafeBytes { frames.append($0) }
            rest = rest.dropFirst(pieces)
            while let frame = try frames.next() {
                found.append(frame)
            }
        }
        found += frames.finish().map { [$0] } ?? []
        return found.map { String(decoding: $0.bytes, as: UTF8.self) + ($0.isTruncated ? "…" : "") }
    }

    @Test("messages of syslog over TCP are cut off in pieces of any size", arguments: [1, 2, 7, .max])
    func frames(_ pieces: Int) throws {
        #expect(
            try frames("<13>a: x\n<14>b: y\r\n\n\0<15>c: z", .lines, pieces: pieces)
                == ["<13>a: x", "<14>b: y", "<15>c: z"]
        )
        #expect(
            try frames("8 <13>a: x10 <14>b:\n yz0 7 <15>c", .octetCounting, pieces: pieces)
                == ["<13>a: x", "<14>b:\n yz", "<15>c…"]
        )
    }

    @Test("a message that is too long is cut, and the next one is whole", arguments: [1000, .max])
    func longFrames(_ pieces: Int) throws {
        let long = String(repeating: "x", count: SyslogFrames.limit + 5000)
        let cut = String(repeating: "x", count: SyslogFrames.limit) + "…"
        #expect(try frames("\(long)\n<13>b\n", .lines, pieces: pieces) == [cut, "<13>b"])
        #expect(try frames("\(long.count) \(long)5 <13>b", .octetCounting, pieces: pieces) == [cut, "<13>b"])
    }

    @Test("what is no length ends a stream of counted messages", arguments: ["<13>b", "x 1", "1234567890 x"])
    func noLength(_ text: String) {
        #expect(throws: SyslogFrameFault.self) { _ = try frames("2 <1" + text, .octetCounting, pieces: .max) }
    }
}
