// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import TextFormats

@Suite("Displayed lines of which the row was painted before", .blocking)
struct RepaintedLineTests {
    @Test(
        "of a long line that is painted again and again each part has a state",
        arguments: [
            "\r\u{1b}[K", "\u{1b}[K\r", "\r", "\u{1b}[2K\r", "\r\u{1b}[2K", "\r   ", "\u{1b}[2K\u{1b}[1G",
            "\u{1b}[G\u{1b}[K",
            "\u{1b}[1K\r", "\r\r\u{1b}[K\u{1b}[1m",
        ]
    )
    func longProgress(_ between: String) {
        let states = (0..<3000).map { "\(100_000 + $0) of all the packages is being downloaded" }
        let shown = DisplayedText.cut(Array((states.joined(separator: between) + "\r\n").utf8), limit: 65_536).map {
            DisplayedText.show($0)
        }
        #expect(shown.count > 1 && shown.last?.hasSuffix(states.last!) == true)
        #expect(shown.allSatisfy { line in states.contains { line.hasSuffix($0) } })
    }

    @Test(
        "what a line paints behind the line before it is shown with that",
        arguments: [
            // OpenRC's and Linux From Scratch's results.
            ("* Starting nfs ...\u{1b}[K", "\u{1b}[A\u{1b}[20C [ !! ]", "* Starting nfs ...   [ !! ]", 0),
            ("\u{1b}[32;01m*\u{1b}[0m nfs ...", "\u{1b}[A\u{1b}[12G\u{1b}[34m[ ok ]\u{1b}[0m", "* nfs ...  [ ok ]", 0),
            ("* a service with a long name", "\u{1b}[1A\u{1b}[24G[ !! ]", "* a service with a long[ !! ]", 4),
            ("login: * nfs ...", "\r\u{1b}M\u{1b}[20C[ ok ]", "login: * nfs ...    [ ok ]", 0),
            ("\u{1b}[3;1Hone\u{1b}[4;1Htwo", "\u{1b}[A\u{1b}[5Cok", "two  ok", 0),
            (" *  nfs", "\u{1b}[1A\u{1b}[0G\u{1b}[31m * \u{1b}[0m\u{1b}[12G[FAIL]", "*  nfs    [FAIL]", 0),
            // The row is painted anew, or it is another one.
            ("10%", "\u{1b}[A\u{1b}[2K20%", "20%", 0), ("10%", "\u{1b}[A\r20%", "20%", 0),
            ("one", "\u{1b}[2A\u{1b}[5Cok", "ok", 0), ("one", "\u{1b}[5Cok", "     ok", 0),
            ("", "\u{1b}[A\u{1b}[5Cok", "ok", 0),
            ("one", "\u{1b}[A\u{1b}[5C\u{1b}[K", "", 0), ("one", "\u{1b}[A", "", 0), ("one", "\u{1b}[", "\\x1b[", 0),
        ]
    )
    func behindLineBefore(_ above: String, _ content: String, _ shown: String, _ overwritten: Int) {
        var out: [UInt8] = []
        let count = Array(above.utf8).withUnsafeBytes { above in
            Array(content.utf8).withUnsafeBytes { DisplayedLine.append($0, above: above, color: false, to: &out) }
        }
        #expect(String(decoding: out, as: UTF8.self).drop { $0 == " " } == shown.drop { $0 == " " })
        #expect(count == overwritten)
    }
}
