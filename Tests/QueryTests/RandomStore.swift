// SPDX-License-Identifier: Apache-2.0

import TestSupport
import LogModel
import LogStore

/// Fills a store with random contents, chosen to be difficult for readers.
struct RandomStore {
    let sample: SampleStore
    let streams: [String]
    private var generator: SeededGenerator
    /// With a small quota retention could otherwise remove blocks between others, before they are sealed.
    private let sealsAtOnce: Bool
    /// What it has of `controls`: with most of them segments have no filters.
    private let controls: [String]

    static let words = [
        "kernel", "error:", "ERROR", "login:", "usb", "timeout", "eth0", "Link", "is", "up", "ready", "k\u{e4}se",
        "level=warn", "level=debug", "[FAILED]", "<3>", "panic", "init", "a", "bb", "systemd[1]:", "Started",
    ]

    /// What makes a terminal display something else than what is stored.
    static let controls = [
        "\r10%", "\u{1b}[31mred\u{1b}[0m", "[    1.234567]", "<3>[   12.345678]", "\u{1b}[5;1Hrow", "\u{1b}[6;3Hcell",
        "\u{1b}c", "\u{8}\u{8}", "\u{1b}]0;title\u{7}", "\u{1b}[K", "err\u{1b}[1mor:",
    ]

    static let colours = ["\u{1b}[31mred\u{1b}[0m", "err\u{1b}[1mor:", "pa\u{1b}[mnic"]

    /// A store made from `seed`: up to three streams, of `steps` steps together.
    init(seed: UInt64, steps: Int) throws {
        generator = SeededGenerator(seed: seed)
        let quota = [64 << 10, 512 << 10, 100 << 20].randomElement(using: &generator)!
        sample = try SampleStore(quota: quota)
        sealsAtOnce = quota < 100 << 20
        controls = Bool.random(using: &generator) ? Self.controls : Self.colours
        streams = Array(["console0", "console1", "kernel"].prefix(Int.random(in: 1...3, using: &generator)))
        try sample.add("vm one")
        for _ in 0..<steps {
            try take(streams.randomElement(using: &generator)!)
        }
    }

    private mutating func take(_ stream: String) throws {
        defer {
            if sealsAtOnce {
                try? sample.seal(stream)
                try? sample.synchronize()
            }
        }
        sample.now = sample.now.advanced(byMicroseconds: Int64.random(in: 0...400_000, using: &generator))
        switch Int.random(in: 0..<1000, using: &generator) {
        case 0..<750:
            try sample.append(text(), stream)
        case 750..<790:
            // A clock that is set back, a little or a lot, or forward.
            let by = [-500_000, -900_000, -5_000_000, -60_000_000, 30_000_000].randomElement(using: &generator)!
            sample.now = sample.now.advanced(byMicroseconds: Int64(by))
        case 790..<890:
            try sample.roll(stream)
            if Bool.random(using: &generator) {
                try sample.seal(stream)
            }
        case 890..<920:
            try sample.seal(stream)
            try sample.synchronize()
        case 920..<955:
            let gap = GapDetail(reason: .rateLimit, bytes: 7, lines: 1, since: sample.now, isClosed: true)
            try sample.mark(RecordDetail(gap: gap), stream)
        case 955..<977:
            try sample.boot([.powerOn, .closed].randomElement(using: &generator)!, stream)
        case 977..<995:
            try sample.boot([.firmware, .kernel, .panic].randomElement(using: &generator)!, stream)
        default:
            // A line longer than readers hold.
            let length = Int.random(in: 60_000...200_000, using: &generator)
            let end: [[UInt8]] = [[], [0x0a], [0x0d, 0x0a]]
            try sample.append([UInt8](repeating: UInt8(ascii: "x"), count: length), stream)
            try sample.append(Array("error: tail of it".utf8) + end.randomElement(using: &generator)!, stream)
        }
    }

    /// Several lines, the first and the last of which may be parts.
    private mutating func text() -> [UInt8] {
        var text: [UInt8] = []
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            for _ in 0..<Int.random(in: 0...6, using: &generator) {
                let words = Int.random(in: 0..<16, using: &generator) == 0 ? controls : Self.words
                text += Array(words.randomElement(using: &generator)!.utf8) + [0x20]
            }
            if Int.random(in: 0..<20, using: &generator) == 0 {
                text.append(controls == Self.controls ? .random(in: 0...255, using: &generator) : 0xe9)
            }
            text += [[0x0a], [0x0d, 0x0a], [0x0a, 0x0a]].randomElement(using: &generator)! as [UInt8]
        }
        let cut = Int.random(in: 0..<3, using: &generator) == 0 ? Int.random(in: 0..<text.count, using: &generator) : 0
        return Array(text.dropLast(cut))
    }
}
