// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestTraits
import Testing

@testable import Query

/// Lines as displayed, through the whole query.
@Suite("Displayed lines in results", .blocking)
struct DisplayTests {
    private func answer(
        _ sample: SampleStore,
        _ format: OutputFormat = .text,
        markers: Bool = false,
        _ change: (inout Selection) throws -> Void = { _ in }
    ) throws -> String {
        var rendering = Rendering(format: format)
        rendering.utc = true
        rendering.markers = markers
        var selection = Selection()
        try change(&selection)
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

    private func sample(_ pieces: [(String, after: Int64)]) throws -> SampleStore {
        let sample = try SampleStore()
        try sample.add("web")
        for (text, pause) in pieces {
            try sample.append(text, after: pause)
        }
        return sample
    }

    @Test("the kernel's line behind an open prompt has its own time")
    func kernelBehindPrompt() throws {
        let sample = try sample([("web login: ", 0), ("[ 7200.123456] BUG: x\r\n", 86_400_000_000)])
        let since = sample.now.advanced(byMicroseconds: -1_000_000)
        #expect(try answer(sample) { $0.since = since } == "[ 7200.123456] BUG: x\n")
        #expect(try answer(sample) { $0.until = since } == "web login: \n")
        #expect(try answer(sample) { $0.severities = .emergency ... .alert } == "[ 7200.123456] BUG: x\n")
    }

    @Test("frames of a dialog are drawn in each row, wherever its bytes are divided", arguments: 0...40)
    func dialog(cut: Int) throws {
        let text = Array(
            "\u{1b}[1;1H\u{1b}(0lqk\u{1b}[2;1Hx\u{1b}(B q \u{1b}(0x\u{1b}[3;1Hmqj\u{1b}(B\r\nqed\r\n".unicodeScalars
        )
        func part(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
            String(String.UnicodeScalarView(scalars))
        }
        let sample = try sample([(part(text.prefix(cut)), 0)])
        if cut % 2 == 0 {
            try sample.roll()
        }
        try sample.append(part(text.dropFirst(cut)), after: 1000)
        #expect(try answer(sample) == "┌─┐\n│ q │\n└─┘\nqed\n")
        #expect(try answer(sample) { $0.pattern = try Pattern("└─", ignoreCase: false) } == "└─┘\n")
    }

    @Test(
        "a result that is painted behind the line before has its text, wherever the bytes are divided",
        arguments: 0...28
    )
    func resultOfService(cut: Int) throws {
        let text = Array("* x ...\r\n\u{1b}[A\u{1b}[9C[ !! ]\r\nend\n".utf8)
        func part(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
        let sample = try sample([("zero\n" + part(text.prefix(cut)), 0)])
        if cut % 2 == 0 {
            try sample.roll()
        }
        try sample.append(part(text.dropFirst(cut)), after: 1000)
        if cut % 3 == 0 {
            try sample.roll()
            try sample.seal("console0")
        }
        let shown = "* x ...  [ !! ]\n"
        #expect(try answer(sample) == "zero\n* x ...\n" + shown + "end\n")
        #expect(try answer(sample) { $0.tail = 2 } == shown + "end\n")
        #expect(try answer(sample) { $0.pattern = try Pattern("x.*!!") } == shown)
        #expect(try answer(sample) { $0.severities = .emergency ... .error } == shown)
        #expect(
            try answer(sample) {
                $0.pattern = try Pattern("^end")
                $0.context.before = 1
            } == shown + "end\n"
        )
    }

    @Test("a result is not joined to a line before a gap")
    func resultBehindGap() throws {
        let sample = try sample([("* x ...\r\n", 0)])
        let gap = GapDetail(reason: .rateLimit, bytes: 7, lines: 1, since: sample.now, isClosed: true)
        try sample.mark(RecordDetail(gap: gap), "console0")
        try sample.append("\u{1b}[A\u{1b}[9C[ ok ]\r\n", after: 1000)
        #expect(try answer(sample).hasSuffix(" --\n         [ ok ]\n"))
    }

    @Test("the last lines have the character sets that earlier rows have chosen", arguments: [false, true])
    func setsOfEarlierRows(isRolled: Bool) throws {
        let sample = try sample([("\u{1b}[2J\u{1b}(0\u{1b}[1;1Hlqqqqk", 0)])
        if isRolled {
            try sample.roll()
        }
        try sample.append("\u{1b}[2;1Hx    x\u{1b}[3;1Htqqqqu\u{1b}[4;1Hmqqqqj\u{1b}(B\r\n", after: 1000)
        try sample.append("\u{e}\u{1b}[1;1Hlqk x\u{1b}[2;1Hxyzk\u{1b}[3;1Habc\u{f}", after: 1000)
        let lines = try answer(sample).split(separator: "\n")
        #expect(lines == ["┌────┐", "│    │", "├────┤", "└────┘", "┌─┐ │", "│≤≥┐", "▒␉␌"])
        for count in 1...7 {
            let tail = try answer(sample) { $0.tail = count }
            #expect(tail.split(separator: "\n") == lines.suffix(count))
        }
        for context in 1...3 {
            let found = try answer(sample) {
                $0.pattern = try Pattern("▒")
                $0.context.before = context
            }
            #expect(found.split(separator: "\n") == lines.suffix(context + 1))
        }
    }

    @Test("a login is read although a clock is painted in a corner")
    func corner() throws {
        let clock = (1...3).map { "\u{1b}[s\u{1b}[1;70H12:00:0\($0)\u{1b}[u" }
        let sample = try sample([
            ("login: " + clock[0], 0), ("ro" + clock[1], 1_000_000), ("ot\r\n" + clock[2], 1_000_000),
        ])
        let lines = try answer(sample, markers: true).split(separator: "\n")
        #expect(lines.contains("login: root [16 overwritten]") && lines.contains { $0.hasSuffix(" 12:00:03") })
    }

    @Test("a progress bar has the time of its present state, while it runs and later", arguments: [false, true])
    func progress(isSealed: Bool) throws {
        let sample = try sample((0...100).map { ("\r\($0)% of the image", 1_000_000) })
        if isSealed {
            try sample.roll()
            try sample.seal("console0")
        }
        let since = sample.now.advanced(byMicroseconds: -500_000)
        #expect(try answer(sample) { $0.since = since } == "100% of the image\n")
        #expect(try answer(sample) { $0.tail = 1 } == "100% of the image\n")
        let json = try answer(sample, .json)
        #expect(try JSON(parsing: Array(json.utf8))["overwritten"]?.integer ?? 0 > 0)
    }

    @Test("a state that was painted after the blocks that a time query skips is found")
    func acrossBlocks() throws {
        let sample = try sample([("one\nCopying 1%", 0)])
        try sample.roll()
        try sample.append("\rCopying 50%", after: 60_000_000)
        try sample.roll()
        try sample.append("\rCopying 100%\ndone\n", after: 60_000_000)
        let since = sample.now.advanced(byMicroseconds: -1)
        #expect(try answer(sample) { $0.since = since } == "Copying 100%\ndone\n")
        #expect(try answer(sample) { $0.tail = 2 } == "Copying 100%\ndone\n")
        #expect(try answer(sample) == "one\nCopying 100%\ndone\n")
    }

    @Test("the last rows are found where rows without LF continue over blocks", arguments: [1, 2, 3, 7, 20])
    func rowsOverBlocks(_ count: Int) throws {
        let sample = try SampleStore()
        try sample.add("web")
        for row in 1...12 {
            try sample.append("\u{1b}[\(row);1Hrow \(row), ", after: 1000)
            try sample.roll()
            try sample.append("its rest\u{1b}[\(row + 30);1Hlower \(row)", after: 1000)
        }
        let all = try answer(sample).split(separator: "\n")
        #expect(all.count == 24)
        #expect(try answer(sample) { $0.tail = count }.split(separator: "\n") == all.suffix(count))
    }

    @Test("a literal is found between colours, and lines without control bytes are still skipped")
    func literals() throws {
        let sample = try sample([("plain\nA\u{1b}[31mB\u{1b}[0mC\nABD\nABC\n", 0)])
        #expect(try answer(sample) { $0.pattern = try Pattern("ABC") } == "ABC\nABC\n")
        #expect(try answer(sample, .raw) { $0.pattern = try Pattern("^ABC$") } == "A\u{1b}[31mB\u{1b}[0mC\nABC\n")
    }

    @Test("the escaped form of a whole log gives its bytes back")
    func escaped() throws {
        let text = "a\\b\r\n\u{1b}[5;1Hrow\u{1b}[6;1Hnext\u{9b}\n\0login: "
        let sample = try sample([(text, 0)])
        let shown = try answer(sample, .escaped)
        #expect(
            shown == #"a\\b\x0d"# + "\n" + #"\x1b[5;1Hrow\"# + "\n" + #"\x1b[6;1Hnext\u{9b}"# + "\n" + #"\x00login: \"#
                + "\n"
        )
        let back = shown.replacing("\\\n", with: "").replacing(#"\x0d"#, with: "\r").replacing(#"\x1b"#, with: "\u{1b}")
            .replacing(#"\u{9b}"#, with: "\u{9b}").replacing(#"\x00"#, with: "\0").replacing(#"\\"#, with: #"\"#)
        #expect(Array(back.utf8) == Array(text.utf8))
    }

    @Test("on a terminal, states of a screen that are alike but for a few cells are one, and counted")
    func frames() throws {
        let rows = "\u{1b}[2J\u{1b}[1;1HGNU GRUB\u{1b}[4;1H*Debian\u{1b}[5;1H Windows"
        let countdown = (1...5).reversed().map { "\u{1b}[20;1HThe entry is booted in \($0)s." }.joined()
        let ticker =
            "[\u{1b}[31m*   \u{1b}[0m] A start job is running (5s / no limit)\r\n"
            + (6...9).map {
                "\u{1b}M\r\u{1b}[K[\u{1b}[31m ** \u{1b}[0m] A start job is running (\($0)s / no limit)\r\n"
            }.joined()
            + "\u{1b}M\r\u{1b}[K[FAILED] Failed to start Network.\r\nplain\n"
        let monitor = (1...3).map { "\u{1b}[HCPU \($0)0%\u{1b}[2;1HMem \($0) GiB" }.joined()
        let sample = try sample([(rows + countdown + "\r\n" + ticker + monitor + "\u{1b}[3;1Hend\r\nplain\n", 0)])
        let folded = try answer(sample, markers: true)
        #expect(
            folded == """
                GNU GRUB
                *Debian
                 Windows
                The entry is booted in 1s. [4 overwritten]
                [ ** ] A start job is running (9s / no limit)
                -- 4 states before this one, alike but for a few cells, not shown --
                [FAILED] Failed to start Network.
                plain
                CPU 20%
                Mem 2 GiB
                -- 1 state before this one, alike but for a few cells, not shown --
                CPU 30%
                Mem 3 GiB
                end
                plain

                """
        )
        let all = try answer(sample)
        #expect(all.contains("(6s / no limit)") && all.contains("CPU 10%") && !all.contains("before this one"))
    }

    @Test("a configured character set is read and searched; bytes that it does not have are shown")
    func charset() throws {
        let sample = try SampleStore()
        try sample.add("win-1")
        try sample.append(Array("Gr".utf8) + [0xf6, 0xdf] + Array("e der Platte\r\n".utf8), "console0")
        let latin = CharsetRules([.init(vms: VMPattern(["win-*"]), charset: try Charset("latin1"))])
        #expect(try answer(sample) == #"Gr\xf6\xdfe der Platte"# + "\n")
        #expect(try answer(sample) { $0.charsets = latin } == "Größe der Platte\n")
        #expect(
            try answer(sample) {
                $0.charsets = latin
                $0.pattern = try Pattern("Größe")
            } == "Größe der Platte\n"
        )
        let ofNamespaces = CharsetRules([.init(vms: VMPattern(["*/win-*"]), charset: try Charset("latin1"))])
        #expect(try answer(sample) { $0.charsets = ofNamespaces }.hasPrefix(#"Gr\xf6"#))
        let other = CharsetRules([.init(vms: VMPattern(["db-*"]), charset: try Charset("latin1"))])
        #expect(try answer(sample) { $0.charsets = other }.hasPrefix(#"Gr\xf6"#))
        try sample.append([0xcf, 0xb5, 0xcd, 0xb3, 0xff, 0x0a], "console0")
        #expect(try answer(sample) { $0.charsets = try RequestWords.charset("gbk") }.hasSuffix("系统\\xff\n"))
        try sample.append([0xda, 0xc4, 0xbf, 0x0a], "console0")
        #expect(try answer(sample) { $0.charsets = try RequestWords.charset("cp437") }.hasSuffix("┌─┐\n"))
    }

    @Test(
        "a character set that iconv does not know, or that is no superset of ASCII, is refused",
        arguments: [
            "no-such", "utf-16", "", "a/b", "iso-2022-jp", "iso-2022-kr", "iso-2022-cn", "iso-2022-jp-3", "utf-7",
        ]
    )
    func wrongCharset(_ name: String) {
        #expect(throws: QueryError.self) { try Charset(name) }
    }

    @Test(
        "the character sets that consoles use are accepted",
        arguments: [
            "latin1", "iso-8859-15", "cp437", "cp850", "cp866", "cp932", "cp936", "cp949", "cp950", "cp1252", "koi8-r",
            "gbk",
            "gb18030", "big5", "euc-jp", "euc-kr", "shift_jis", "utf-8", "ascii", "macintosh",
        ]
    )
    func rightCharset(_ name: String) {
        #expect(throws: Never.self) { try Charset(name) }
    }

    @Test("unfinished lines of several streams are shown, and with a pattern if they match")
    func prompts() throws {
        let sample = try sample([("booting\nweb login: ", 0)])
        try sample.append(Array("hello\n".utf8), "console1")
        func follow(_ pattern: String?) throws -> String {
            var selection = Selection()
            selection.follow = true
            selection.pattern = try pattern.map { try Pattern($0) }
            let query = try LogQuery(
                store: sample.store,
                vms: sample.vms.map(\.vm),
                selection: selection,
                rendering: Rendering(),
                now: sample.now
            )
            var out: [UInt8] = []
            while let chunk = try query.next() {
                out += chunk
            }
            let moment = sample.now.advanced(byMicroseconds: 10_000_000)
            return String(decoding: out + (query.flushUnfinished(silentSince: moment) ?? []), as: UTF8.self)
        }
        let all = try follow(nil)
        #expect(all.hasSuffix("[web/console0] web login: "), "\(all.debugDescription)")
        #expect(try follow("login: $") == "[web/console0] web login: ")
        #expect(try follow("hello") == "[web/console1] hello\n")
    }
}
