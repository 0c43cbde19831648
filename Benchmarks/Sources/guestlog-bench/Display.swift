// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// What it costs to turn a console's bytes into displayed lines, on one core.
enum Display {
    static var rows: [Row] {
        [Row("display", targets: ["coloured boot log": "≥ 200"]) { measure() }]
    }

    private static let bytes = 64 << 20
    private static let longestLine = 64 << 10

    private static func measure() -> [Measure] {
        let plain = Corpus.boot(bytes: bytes)
        return [
            Measure("boot log without colours", "MB/CPU s", rate(of: plain)),
            Measure("coloured boot log", "MB/CPU s", rate(of: coloured(plain))),
        ]
    }

    /// The lines of `text` as systemd prints them on a terminal: each with a green word in front.
    private static func coloured(_ text: [UInt8]) -> [UInt8] {
        let status = Array("[\u{1b}[0;32m  OK  \u{1b}[0m] \u{1b}[0;1;39m".utf8)
        let end = Array("\u{1b}[0m\r\n".utf8)
        return Array(text.split(separator: UInt8(ascii: "\n")).map { status + $0 + end }.joined())
    }

    private static func rate(of text: [UInt8]) -> Double {
        var shown: [UInt8] = []
        shown.reserveCapacity(longestLine)
        let start = Machine.threadTime
        text.withUnsafeBytes { text in
            var cutter = DisplayedLineCutter()
            var position = 0
            while let cut = cutter.line(at: position, in: text, to: text.count, limit: longestLine) {
                let hasEnd = text[cut.end - 1] == UInt8(ascii: "\n")
                let content = UnsafeRawBufferPointer(rebasing: text[position..<cut.end - (hasEnd ? 1 : 0)])
                shown.removeAll(keepingCapacity: true)
                DisplayedLine.append(content, color: false, to: &shown)
                position = cut.end
            }
        }
        return Double(text.count) / 1e6 / (Machine.threadTime - start)
    }
}
