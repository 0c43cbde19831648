// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import KubeVirt

@Suite("The text of a container's log, read in several responses", .blocking)
struct PodLogTextTests {
    private func texts(_ lines: [PodLogLine]) -> [String] {
        lines.map { String(decoding: $0.text, as: UTF8.self) }
    }

    private func stamp(_ second: Int, _ nano: Int = 0) -> String {
        Timestamp.rfc3339(nanoseconds: Int64(1_785_578_400 + second) * 1_000_000_000 + Int64(nano))
    }

    @Test(
        "the time before a line is read with any offset, and cut to microseconds",
        arguments: [
            ("2026-08-01T10:00:00.123456789Z x\n", "2026-08-01T10:00:00.123456Z", "x\n"),
            ("2026-08-01T12:00:00.123456789+02:00 x\n", "2026-08-01T10:00:00.123456Z", "x\n"),
            ("2026-08-01T06:30:00.5-03:30  y \n", "2026-08-01T10:00:00.500000Z", " y \n"),
            ("2026-08-01T10:00:00Z\n", "2026-08-01T10:00:00.000000Z", "\n"),
        ]
    )
    func parsing(line: String, time: String, text: String) {
        let parsed = PodLogLine(line.utf8)
        #expect(parsed?.time.description == time && parsed?.text == Array(text.utf8))
    }

    @Test(
        "what is no time is not taken for one",
        arguments: [
            "", "\n", " x\n", "x\n", "2026-08-01T10:00:00\n", "2026-13-01T10:00:00Z x\n", "2026-08-01T10:00:00+2:00 x",
            "2026-08-01T10:00:00+ab:cd x", "+02:00 x", "\0\0\0\0\0\0 x", String(repeating: "9", count: 100_000) + " x",
        ]
    )
    func notTimes(line: String) {
        #expect(PodLogLine(line.utf8) == nil)
    }

    @Test("lines of the last second that come again after a reconnection are dropped, and repeated lines stay repeated")
    func overlap() {
        var text = PodLogText()
        let first = "\(stamp(0)) a\n\(stamp(1)) b\n\(stamp(1)) b\n\(stamp(1, 5)) c\n"
        #expect(texts(text.receive(first.utf8)) == ["a\n", "b\n", "b\n", "c\n"])
        #expect(text.resumeTime?.description == "2026-08-01T10:00:01.000000Z")
        text.resume()
        let second = "\(stamp(1)) b\n\(stamp(1)) b\n\(stamp(1, 5)) c\n\(stamp(1, 5)) c\n\(stamp(2)) d\n"
        #expect(texts(text.receive(second.utf8)) == ["c\n", "d\n"])
        #expect(!text.mayHaveLost)
    }

    @Test("whatever the pieces and wherever the connection is cut, every line comes once")
    func everyCut() {
        let lines = (0..<40).map { "\(stamp($0 / 7, $0 % 3)) line \($0 / 2)\n" }
        let whole = Array(lines.joined().utf8)
        let expected = (0..<40).map { "line \($0 / 2)\n" }
        for cut in stride(from: 0, to: whole.count, by: 13) {
            var text = PodLogText()
            var found = text.receive(whole[..<cut])
            text.resume()
            // The server's answer begins with the requested second.
            let since = text.resumeTime
            let rest = lines.filter { line in
                since.map { PodLogLine(line.utf8)!.time >= $0 } ?? true
            }
            for byte in rest.joined().utf8 {
                found += text.receive([byte])
            }
            #expect(texts(found) == expected, "cut at \(cut)")
            #expect(!text.mayHaveLost)
        }
    }

    @Test("a response without the lines that were expected again says that lines may be missing")
    func rotated() {
        var text = PodLogText()
        _ = text.receive("\(stamp(0)) a\n".utf8)
        text.resume()
        #expect(texts(text.receive("\(stamp(9)) z\n".utf8)) == ["z\n"])
        #expect(text.mayHaveLost)
        text.resume()
        _ = text.receive("\(stamp(9)) z\n\(stamp(10)) y\n".utf8)
        #expect(!text.mayHaveLost)
    }

    @Test("a server that ignores sinceTime repeats everything, and nothing comes twice")
    func ignoredSince() {
        var text = PodLogText()
        let all = "\(stamp(0)) a\n\(stamp(1)) b\n\(stamp(2)) c\n"
        _ = text.receive(all.utf8)
        text.resume()
        #expect(texts(text.receive((all + "\(stamp(3)) d\n").utf8)) == ["d\n"])
    }

    @Test("a line of any length is returned in pieces, in bounded memory, and comes once after a reconnection")
    func longLine() {
        var text = PodLogText()
        let long = [UInt8](repeating: 0x78, count: 3 * PodLogText.pieceSize)
        let whole = Array("\(stamp(0)) ".utf8) + long + [Lines.feed]
        var found = text.receive(whole[..<(2 * PodLogText.pieceSize + 5)])
        #expect(found.count == 2)
        text.resume()
        found += text.receive(whole)
        found += text.receive("\(stamp(0)) next\n".utf8)
        #expect(found.flatMap(\.text) == long + [Lines.feed] + Array("next\n".utf8))
        #expect(Set(found.map(\.time)).count == 1)
    }

    @Test("a log that ends without LF ends with the rest of its line")
    func unfinished() {
        var text = PodLogText()
        #expect(text.receive("\(stamp(0)) login: ".utf8).isEmpty)
        #expect(text.finish().map { [$0] }.map(texts) == ["login: "])
        #expect(text.finish() == nil)
    }
}
