// SPDX-License-Identifier: Apache-2.0

import LogModel
import RotatingFile
import TestSupport
import Testing

@testable import virt_tail

@Suite struct LineTests {
    private static let time = Timestamp(microseconds: 1_764_000_000_123_456)

    /// The output for text that is read in `pieces`.
    private func output(_ change: (inout TailOptions) -> Void, _ pieces: [String]) -> String {
        var options = TailOptions()
        change(&options)
        let writer = LineWriter(options)
        var out: [UInt8] = []
        for piece in pieces {
            if piece == "quiet" {
                writer.flush()
            } else if piece == "gap" {
                writer.add(FollowGap(.removed, bytes: 7), at: Self.time)
            } else {
                let bytes = Array(piece.utf8)
                bytes.withUnsafeBytes { bytes in
                    writer.add(bytes, at: Self.time)
                    writer.take { out += $0 }
                }
            }
            writer.take { out += $0 }
        }
        writer.flush(isEnd: true)
        writer.take { out += $0 }
        return String(decoding: out, as: UTF8.self)
    }

    private static let stamp = "2025-11-24T16:00:00.123456000Z"

    @Test("raw output is a copy; a gap ends an unfinished line")
    func raw() {
        #expect(output({ _ in }, ["a\r\nlog", "in: ", "quiet", "x\n"]) == "a\r\nlogin: x\n")
        #expect(output({ _ in }, ["half", "gap", "next\n", "gap"]) == "half\nnext\n")
        #expect(output({ _ in }, ["whole\n", "", "gap", "half", "", "gap"]) == "whole\nhalf\n")
    }

    @Test("a CR at the end of a piece is text, at the end of a line it is not", arguments: [false, true])
    func unfinishedReturn(isDisplayed: Bool) {
        let text = output(
            {
                $0.format = .json
                $0.isDisplayed = isDisplayed
            },
            ["10%\r", "quiet", "20%\r\n"]
        )
        let exact = #"{"time":"\#(Self.stamp)","text":"10%\r","partial":true}"#
        #expect(text.contains(isDisplayed ? #""text":"10%","bytes_b64":"MTAlDQ==","partial":true"# : exact), "\(text)")
        #expect(text.contains(#""text":"20%"}"#), "\(text)")
    }

    @Test("an unfinished line is shown after quiet and completed in the same line")
    func timestamps() {
        let text = output({ $0.hasTimestamps = true }, ["a\nlog", "in: ", "quiet", "root\nb"])
        #expect(text == "\(Self.stamp) a\n\(Self.stamp) login: root\n\(Self.stamp) b\n")
    }

    @Test("CRI: parts are tagged P, ends F")
    func cri() {
        let text = output({ $0.format = .cri }, ["one\nlogin: ", "quiet", "root\n"])
        #expect(text == "\(Self.stamp) stdout F one\n\(Self.stamp) stdout P login: \n\(Self.stamp) stdout F root\n")
    }

    @Test("JSON and logfmt: text without the line's CR, the bytes where it is not all of them, parts, and gaps")
    func structured() {
        #expect(
            output({ $0.format = .json }, ["a \"b\"\r\n", "p", "quiet", "gap"])
                == #"{"time":"\#(Self.stamp)","text":"a \"b\""}"# + "\n"
                + #"{"time":"\#(Self.stamp)","text":"p","partial":true}"# + "\n"
                + #"{"time":"\#(Self.stamp)","text":""}"# + "\n"
                + #"{"time":"\#(Self.stamp)","event":"gap","bytes":7,"reason":"\#(FollowGap.Reason.removed)"}"#
                + "\n"
        )
        #expect(output({ $0.format = .logfmt }, ["a b\n"]) == "time=\(Self.stamp) msg=\"a b\"\n")
    }

    @Test("displayed lines: what was painted over or erased is not shown, and stamps of the kernel begin lines")
    func displayed() {
        let text = output(
            { $0.isDisplayed = true },
            ["\u{1b}[32mOK\u{1b}[0m\r\n10%\r20%", "\r30%\r\nlogin: ", "quiet", "[   12.345678] usb\n"]
        )
        #expect(text == "OK\n30%\nlogin: \n[   12.345678] usb\n")
        let dialog = output(
            { $0.isDisplayed = true },
            ["\u{1b}(0lqk\u{1b}[2;", "1Hx\u{1b}(B q \u{1b}(0x\u{1b}[3;1Hmqj\r\nlqk\n"]
        )
        #expect(dialog.contains("│ q │") && dialog.contains("└─┘") && dialog.hasSuffix("lqk\n"))
    }

    @Test("displayed parts of a line continue it only where they stand behind what was shown of the row")
    func displayedParts() {
        func shown(_ pieces: [String], _ format: TailOptions.Format = .raw) -> String {
            output(
                {
                    $0.isDisplayed = true
                    $0.format = format
                },
                pieces
            )
        }
        let bar = ["copy 10%", "quiet", "\rcopy 50%", "quiet", "\rcopy 100%\r\n", "next\n"]
        #expect(shown(bar) == "copy 10%\ncopy 50%\ncopy 100%\nnext\n")
        let typed = ["lo", "quiet", "gin: ", "quiet", "rox", "quiet", "\u{8} \u{8}", "quiet", "ot\r", "quiet", "\n"]
        #expect(shown(typed) == "login: rox\nlogin: root\n")
        #expect(shown(["web login: ", "quiet", "\u{1b}c\u{1b}[2JSeaBIOS\r\n"]) == "web login: \nSeaBIOS\n")
        #expect(shown(["10%", "quiet", "gap", "\r20%\n"]) == "10%\n20%\n")
        // What a reader joins is a line as it was shown, and the bytes are those of the log.
        let parts = shown(bar, .cri).split(separator: "\n").map { $0.dropFirst(Self.stamp.count) }
        #expect(
            parts == [
                " stdout P copy 10%", " stdout F ", " stdout P copy 50%", " stdout F ", " stdout F copy 100%",
                " stdout F next",
            ]
        )
        let record = shown(["10%", "quiet", "\r\u{1b}[K20%\r\n"], .json)
        #expect(record.contains(#""text":"20%","bytes_b64":"DRtbSzIwJQ0="}"#), "\(record)")
        // A row that is too long to be followed is continued.
        let long = String(repeating: "x", count: LineSplitter.limit + 5)
        #expect(shown([long, "quiet", "\rab\n"]) == long + "ab\n")
    }

    @Test("lines are the same wherever the bytes are divided", arguments: [TailOptions.Format.cri, .json, .logfmt])
    func divided(format: TailOptions.Format) {
        var generator = SeededGenerator(seed: 3)
        let text = String(decoding: NumberedLines.text(300), as: UTF8.self)
        let whole = output({ $0.format = format }, [text])
        for most in [1, 7, 100, 5000] {
            var pieces: [String] = []
            var rest = Substring(text)
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...most, using: &generator))
                pieces.append(String(piece))
                rest = rest.dropFirst(piece.count)
            }
            #expect(output({ $0.format = format }, pieces) == whole)
        }
    }

    @Test("a line without an end does not use more memory than its limit, and all of it is shown")
    func endless() {
        var splitter = LineSplitter(isDisplayed: false)
        let block = [UInt8](repeating: UInt8(ascii: "x"), count: 100_000)
        var count = 0
        for _ in 0..<50 {
            block.withUnsafeBytes { splitter.add($0, at: Self.time) { count += $0.content.count } }
            #expect(splitter.pendingCount <= LineSplitter.limit)
        }
        splitter.flush { count += $0.content.count }
        #expect(count == 5_000_000)
    }

    @Test("losses are summed up, and reported at most every 10 s")
    func losses() {
        var report = LossReport()
        report.add(FollowGap(.removed, bytes: 5))
        #expect(report.take(at: 1)?.hasPrefix("5 bytes are missing") == true)
        report.add(FollowGap(.removed, bytes: 5))
        report.add(FollowGap(.removed, bytes: nil))
        #expect(report.take(at: 2) == nil && report.due == 1 + LossReport.interval)
        #expect(report.take(at: 2, isEnd: true)?.hasPrefix("at least 5 bytes are missing in 2 places") == true)
        // Perhaps it was read to its end.
        report.add(FollowGap(.truncated, bytes: nil))
        #expect(report.take(at: 3, isEnd: true)?.hasPrefix("bytes may be missing: the file was truncated") == true)
    }
}
