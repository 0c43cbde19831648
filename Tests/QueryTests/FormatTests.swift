// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestSupport
import TestTraits
import Testing
import TextFormats

@testable import Query

@Suite("Formats", .blocking)
struct FormatTests {
    private func answer(
        _ sample: SampleStore,
        _ format: OutputFormat,
        _ change: (inout Rendering, inout Selection) -> Void = { _, _ in }
    ) throws -> String {
        var rendering = Rendering(format: format)
        rendering.utc = true
        var selection = Selection()
        change(&rendering, &selection)
        let query = try LogQuery(
            store: sample.store,
            vms: sample.vms.map(\.vm),
            selection: selection,
            rendering: rendering,
            now: sample.now
        )
        var out: [UInt8] = []
        while let chunk = try query.next() {
            out += chunk
        }
        return String(decoding: out, as: UTF8.self)
    }

    @Test("systemd's names of formats are accepted where the formats are alike, and no others")
    func systemdNames() throws {
        #expect(try RequestWords.format("cat") == .text && RequestWords.format("short") == .short)
        for word in ["short-iso", "short-precise", "short-iso-precise", "short-full", "short-unix"] {
            let error = #expect(throws: QueryError.self) { try RequestWords.format(word) }
            #expect(error?.description.contains("--timestamps") == true)
        }
    }

    /// Two lines, one of them an error, an unfinished one, and bytes that are not UTF-8.
    private func sample() throws -> SampleStore {
        let sample = try SampleStore()
        try sample.add("web 1")
        try sample.append("hello\r\n")
        try sample.append("<3>disk \u{1b}[1mfailed\u{2}\n", after: 1_500_000)
        try sample.append([0x63, 0xff, 0x0a], after: 1)
        try sample.append("login: ")
        return sample
    }

    @Test("text is the line, made safe")
    func text() throws {
        #expect(try answer(sample(), .text) == "hello\n<3>disk failed\\x02\nc\\xff\nlogin: \n")
    }

    @Test("text with times and names has both before every line")
    func textWithHead() throws {
        let text = try answer(sample(), .text) { rendering, _ in
            rendering.timestamps = true
            rendering.prefix = true
        }
        #expect(
            text == """
                2025-11-20T17:00:05.000000Z [web 1/console0] hello
                2025-11-20T17:00:06.500000Z [web 1/console0] <3>disk failed\\x02
                2025-11-20T17:00:06.500001Z [web 1/console0] c\\xff
                2025-11-20T17:00:06.500001Z [web 1/console0] login:\u{20}

                """
        )
    }

    @Test("short looks like journalctl's")
    func short() throws {
        let text = try answer(sample(), .short)
        #expect(text.hasPrefix("Nov 20 17:00:05 web 1 console0: hello\nNov 20 17:00:06 web 1 console0: <3>disk"))
    }

    @Test("json is one object per line, with its members in order")
    func json() throws {
        let text = try answer(sample(), .json)
        #expect(
            text == #"""
                {"time":"2025-11-20T17:00:05.000000Z","vm":"web 1","stream":"console0","offset":"0.0","text":"hello"}
                {"time":"2025-11-20T17:00:06.500000Z","vm":"web 1","stream":"console0","offset":"7.0","severity":"err","text":"<3>disk failed\\x02","bytes_b64":"PDM+ZGlzayAbWzFtZmFpbGVkAg=="}
                {"time":"2025-11-20T17:00:06.500001Z","vm":"web 1","stream":"console0","offset":"27.0","text":"c�","bytes_b64":"Y/8="}
                {"time":"2025-11-20T17:00:06.500001Z","vm":"web 1","stream":"console0","offset":"30.0","text":"login: ","partial":true}

                """#
        )
        for line in text.split(separator: "\n") {
            #expect(throws: Never.self) { try JSON(parsing: line.utf8) }
        }
    }

    @Test("logfmt quotes where necessary")
    func logfmt() throws {
        #expect(
            try answer(sample(), .logfmt) == #"""
                time=2025-11-20T17:00:05.000000Z vm="web 1" stream=console0 offset=0.0 msg=hello
                time=2025-11-20T17:00:06.500000Z vm="web 1" stream=console0 offset=7.0 level=err msg="<3>disk failed\\x02" bytes_b64=PDM+ZGlzayAbWzFtZmFpbGVkAg==
                time=2025-11-20T17:00:06.500001Z vm="web 1" stream=console0 offset=27.0 msg="c�" bytes_b64=Y/8=
                time=2025-11-20T17:00:06.500001Z vm="web 1" stream=console0 offset=30.0 msg="login: " partial=true

                """#
        )
    }

    @Test("cri is containerd's format, with the guest's bytes unchanged")
    func cri() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("one\r\n")
        try sample.append([UInt8](repeating: 0x78, count: 65_536) + Array("tail\nlogin: ".utf8), after: 123)
        // By bytes: Swift takes CR LF for a single character.
        let lines = try answer(sample, .cri).utf8.split(separator: 0x0a).map { String(decoding: $0, as: UTF8.self) }
        #expect(lines[0] == "2025-11-20T17:00:05.000000000Z stdout F one\r")
        #expect(lines[1] == "2025-11-20T17:00:05.000123000Z stdout P " + String(repeating: "x", count: 65_536))
        #expect(lines[2] == "2025-11-20T17:00:05.000123000Z stdout F tail")
        #expect(lines[3] == "2025-11-20T17:00:05.000123000Z stdout P login: ")
    }

    @Test("in cri, a part that is not continued is ended, and a loss is on the other stream")
    func criParts() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("half")
        let gap = GapDetail(reason: .rateLimit, bytes: 48_576, lines: 214, since: sample.now, isClosed: true)
        try sample.mark(RecordDetail(gap: gap))
        try sample.append("next\nlogin: ")
        try sample.boot(.powerOn)
        try sample.append("boot\nof one ")
        try sample.append("other\n", "kernel", after: 1000)
        try sample.append("stream\n", after: 1000)
        let lines = try answer(sample, .cri).split(separator: "\n").map { $0.dropFirst(31) }
        #expect(
            lines == [
                "stdout P half", "stdout F ", "stderr F 48576 bytes lost: over the rate limit", "stdout F next",
                "stdout P login: ", "stdout F ", "stdout F boot", "stdout F of one stream", "stdout F other",
            ]
        )
    }

    @Test("the journal export format has binary fields where a line cannot hold the value")
    func export() throws {
        let text = try answer(sample(), .export)
        let entries = text.split(separator: "\n\n")
        #expect(entries[0].hasPrefix("__REALTIME_TIMESTAMP=1763658005000000\n_BOOT_ID="))
        #expect(entries[0].contains("\n_HOSTNAME=web 1\nSYSLOG_IDENTIFIER=console0\n"))
        #expect(entries[0].hasSuffix("\nGUESTLOG_OFFSET=0.0\nMESSAGE=hello"))
        #expect(entries[1].contains("\nPRIORITY=3\n"))
        #expect(text.contains("MESSAGE\n\u{13}\0\0\0\0\0\0\0<3>disk \u{1b}[1mfailed\u{2}\n\n"))
    }

    @Test("a loss that the guest's agent reports is counted in lines, and was before its report")
    func reportedLoss() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("words\n")
        let gap = GapDetail(reason: .agentOverflow, bytes: nil, lines: 4636, since: sample.now, isClosed: true)
        try sample.mark(RecordDetail(gap: gap), after: 1_000_000)
        let text = try answer(sample, .text)
        let reason = "the guest's agent could not deliver them in time"
        #expect(text == "words\n-- 4,636 lines lost before 17:00:06: \(reason) --\n")
        #expect(try answer(sample, .cri).hasSuffix(" stderr F 4636 lines lost: \(reason)\n"))
    }

    @Test("events between lines are on lines of their own")
    func events() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.boot(.powerOn)
        try sample.append("Linux version 6.1\nhalf a li")
        let since = sample.now
        let first = GapDetail(reason: .rateLimit, bytes: 1_000_000, lines: 9000, since: since, isClosed: false)
        let last = GapDetail(reason: .rateLimit, bytes: 48_576, lines: 214, since: since, isClosed: true)
        try sample.mark(RecordDetail(gap: first), after: 1_000_000)
        try sample.mark(RecordDetail(gap: last), after: 1_000_000)
        try sample.append("ne\n")
        try sample.boot(.panic)
        try sample.append("Kernel panic - not syncing\n")
        try sample.boot(.closed)
        #expect(
            try answer(sample, .text) == """
                -- boot 1: power-on --
                Linux version 6.1
                half a li
                -- 1,048,576 bytes (9,214 lines) lost 17:00:05–17:00:07: over the rate limit --
                ne
                -- boot 1 ended: panic --
                Kernel panic - not syncing

                """
        )
        let json = try answer(sample, .json).split(separator: "\n")
        #expect(json[0].hasSuffix(#""offset":"0.0","event":"boot","boot":1,"kind":"power-on"}"#))
        #expect(
            json[3].hasSuffix(
                #""event":"gap","bytes":1048576,"lines":9214,"since":"2025-11-20T17:00:05.000000Z","closed":true,"reason":"over the rate limit"}"#
            )
        )
        // A search shows losses, but not boots.
        let found = try answer(sample, .text) { $1.pattern = try? Pattern("panic") }
        #expect(found.split(separator: "\n").count == 2 && found.hasSuffix("Kernel panic - not syncing\n"))
        for format in [OutputFormat.raw, .export] {
            #expect(try !answer(sample, format).contains("lost"))
        }
    }

    @Test("a banner found in a torn line has its boot's marker before the line")
    func bannerBehindItsBeginning() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("old\nLinux ")
        try sample.boot(.kernel, back: 6)
        try sample.append("version 6.1\n")
        #expect(try answer(sample, .text) == "old\n-- boot 1: kernel --\nLinux version 6.1\n")
        #expect(try answer(sample, .text) { $1.boot = 0 } == "-- boot 1: kernel --\nLinux version 6.1\n")
    }

    @Test("severity colours lines, unless the guest did")
    func colors() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("<3>bad\n<4>hm\n<5>note\n<7>dbg\nplain\n<3>\u{1b}[32mgreen\n")
        let text = try answer(sample, .text) { rendering, _ in rendering.color = true }
        #expect(
            text == "\u{1b}[0;1;31m<3>bad\u{1b}[0m\n\u{1b}[0;1;33m<4>hm\u{1b}[0m\n\u{1b}[0;1;39m<5>note\u{1b}[0m\n"
                + "\u{1b}[0;38;5;245m<7>dbg\u{1b}[0m\nplain\n<3>\u{1b}[32mgreen\u{1b}[0m\n"
        )
    }

    @Test("a guest's line never begins at the left edge when something precedes lines")
    func noForgedLines() throws {
        let sample = try SampleStore()
        try sample.add("a\u{1b}]0;x\u{7}")
        try sample.append([UInt8](repeating: 0x79, count: 200_000))
        try sample.append("\rforged: \u{85}\u{2028}x\u{b}y\n")
        let plain = try answer(sample, .text)
        #expect(plain.split(separator: "\n").count == 2, "without a head pieces are joined again")
        for format in [OutputFormat.text, .short] {
            let text = try answer(sample, format) { rendering, _ in rendering.timestamps = true }
            let head = format == .short ? "Nov 20 17:00:05 a\\x1b]0;x\\x07 console0: " : "2025-11-20T17:00:05.000000Z "
            #expect(text.split(separator: "\n").count == 5)
            #expect(text.split(separator: "\n").allSatisfy { $0.hasPrefix(head) })
        }
    }

    @Test(
        "whatever a guest prints, the result has nothing that a terminal acts on",
        arguments: [OutputFormat.text, .short, .json, .logfmt]
    )
    func hostile(_ format: OutputFormat) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let sample = try SampleStore()
        try sample.add("a\u{202e}b\u{9b}")
        let parts: [[UInt8]] = [
            [0x1b], Array("\u{1b}[31m".utf8), Array("\u{1b}]0;t\u{7}".utf8), [0x9b], [0xc2, 0x9b], [0xe2, 0x80, 0xae],
            [0xe2, 0x80], [0xf3, 0xa0, 0x81, 0x81], [0x0d], [0x0a], [0x00], [0x7f], Array("\\x1b".utf8),
            Array("ab".utf8),
            [0xef, 0xbb, 0xbf], [0xe2, 0x80, 0xa8], [0xff], [0xed, 0xa0, 0x80], [0xd8, 0x9c],
        ]
        for _ in 0..<2000 {
            let count = Int.random(in: 1...6, using: &generator)
            try sample.append((0..<count).flatMap { _ in parts.randomElement(using: &generator)! })
        }
        let text = try answer(sample, format) { rendering, _ in rendering.prefix = true }
        let isSafe = text.unicodeScalars.allSatisfy { scalar in
            scalar == "\n"
                || !(scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) || scalar.properties.isBidiControl
                    || (0x2028...0x2029).contains(scalar.value)
                    || (scalar.properties.isDefaultIgnorableCodePoint && scalar.value != 0xfe0f))
        }
        #expect(isSafe, "seed \(seed)")
    }
}
