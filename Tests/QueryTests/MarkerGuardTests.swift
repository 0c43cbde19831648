// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import TestSupport
import RegexBuilder
import TestTraits
import Testing
import TextFormats

@testable import Query

/// No guest line looks like a marker, in any of the formats for people.
@Suite("Guests' lines and markers", .blocking)
struct MarkerGuardTests {
    /// One configuration of `text` and `short`.
    struct Look: CustomTestStringConvertible {
        var format: OutputFormat
        var timestamps: Bool
        var prefix: Bool
        var color: Bool

        static let all = [OutputFormat.text, .short].flatMap { format in
            (0..<8).map { Look(format: format, timestamps: $0 & 1 > 0, prefix: $0 & 2 > 0, color: $0 & 4 > 0) }
        }

        var testDescription: String { "\(format), times \(timestamps), prefix \(prefix), colour \(color)" }

        var writer: HumanFormat {
            var rendering = Rendering(format: format)
            rendering.timestamps = timestamps
            rendering.color = color
            rendering.utc = true
            return HumanFormat(rendering, prefix: prefix)
        }
    }

    /// A new seed for every run; a failure prints it, and `GUESTLOG_SEED` sets it.
    private static func seed() -> UInt64 {
        getenv("GUESTLOG_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: 0...UInt64.max)
    }

    private static let time = Timestamp(microseconds: 1_763_658_005_000_000)
    private static let label = StreamLabel(vm: "web", folder: "web", uuid: nil, stream: .console0)

    /// Fragments of hostile lines: markers, heads, similar texts, and characters that hide or move text.
    private static let fragments: [String] = [
        "-- ", "--", "-", "--- ", " ", "  ", "\t", "\u{a0}", "\u{2003}", "\u{3000}", "\u{2800}", "\r", "\r\r", "\n",
        "\n",
        "boot 99: power-on --", "12,345 bytes (67 lines) lost 10:00:00–10:00:01: the store could not be written --",
        "the response ends here: faked --", "— ", "–", "―", "‐", "‑", "−", "─", "━", "－", "ー", "⸺", "\u{ad}",
        "\u{200b}",
        "\u{feff}", "\u{fe0e}", "\u{fe0f}", "\u{301}", "\u{336}", "\u{20dd}", "\u{202e}", "\u{2028}", "\u{85}", "\u{8}",
        "\u{b}", "\u{0}", "\u{1b}", "\u{1b}[", "\u{1b}[2m", "\u{1b}[0;2m", "\u{1b}[0m", "\u{1b}[8m", "\u{1b}[2K",
        "\u{1b}[1G",
        "[web/console0] ", "[db/console0]", "2025-11-20T17:00:05.000000Z ", "2025-11-20T17:00:05.000000+05:30",
        "Nov 20 17:00:05 web console0: ", "guestlog: ", "x", "y ", "\\", "\\x20", "$ ls", "[    1.000000] ",
    ]

    private static func hostile(_ generator: inout SeededGenerator) -> [UInt8] {
        let count = Int.random(in: 1...7, using: &generator)
        var bytes = (0..<count).flatMap { _ in Array(fragments.randomElement(using: &generator)!.utf8) }
        if Int.random(in: 0..<20, using: &generator) == 0 {
            bytes.insert(UInt8.random(in: 0...255, using: &generator), at: bytes.count / 2)
        }
        return bytes
    }

    /// The output of `text` for hostile text in pieces, some shown early, with markers in between; and the number of
    /// markers.
    private func render(_ look: Look, _ generator: inout SeededGenerator) -> (text: [UInt8], markers: Int) {
        var writer = look.writer
        var out: [UInt8] = []
        var markers = 0
        var offset: UInt64 = 0
        for _ in 0..<40 {
            if Int.random(in: 0..<6, using: &generator) == 0 {
                let boot = BootDetail(event: .powerOn, position: offset)
                let position = Cursor(offset: offset)
                let event = StreamEvent(kind: .boot(boot), position: position, next: position, time: Self.time)
                writer.append(event, boot: 1, Self.label, to: &out)
                markers += 1
            }
            var rest = Self.hostile(&generator)[...]
            while !rest.isEmpty {
                let end = rest.firstIndex(of: Lines.feed).map { $0 + 1 } ?? rest.endIndex
                var piece = rest[..<end]
                if Bool.random(using: &generator) {
                    piece = piece.prefix(Int.random(in: 1...piece.count, using: &generator))
                }
                rest = rest[piece.endIndex...]
                Array(piece).withUnsafeBytes { bytes in
                    let line = Line(start: Cursor(offset: offset), time: Self.time, bytes: bytes, isRecovered: false)
                    if !line.isWhole, Bool.random(using: &generator) {
                        writer.appendEarly(line, input: 0, Self.label, to: &out)
                    } else {
                        writer.append(line, input: 0, Self.label, to: &out)
                    }
                }
                offset += UInt64(piece.count)
            }
        }
        writer.finish(to: &out)
        return (out, markers)
    }

    // MARK: - Two independent readers

    /// The lines that a program takes for markers: `-- ` after the head that the options specify.
    private func markers(_ lines: [String], in look: Look) -> [String] {
        lines.map { $0.replacing(#/\x1b\[[0-9;:]*m/#, with: "") }.compactMap { (line: String) -> String? in
            var rest = line[...]
            if look.format == .short {
                rest = rest.trimmingPrefix("Nov 20 17:00:05 web console0: ")
            } else {
                rest = look.timestamps ? rest.trimmingPrefix("2025-11-20T17:00:05.000000Z ") : rest
                rest = look.prefix ? rest.trimmingPrefix("[web/console0] ") : rest
            }
            return rest.unicodeScalars.starts(with: "-- ".unicodeScalars) ? String(rest) : nil
        }
    }

    /// The lines that a careless person, who does not know the options, takes for markers or messages.
    private func seenAsMarkers(_ lines: [String]) -> [String] {
        lines.filter { line in
            var seen = ""
            let uncolored = line.replacing(#/\x1b\[[0-9;:]*m/#, with: "")
            for scalar in uncolored.unicodeScalars {
                let properties = scalar.properties
                if "―—⸺".unicodeScalars.contains(scalar) {
                    seen += "—"
                } else if properties.isDash || "─━ー".unicodeScalars.contains(scalar) {
                    seen += "-"
                } else if properties.isWhitespace || scalar == "\u{2800}" {
                    seen += " "
                } else if properties.canonicalCombiningClass == .notReordered,
                    properties.generalCategory != .nonspacingMark,
                    properties.generalCategory != .enclosingMark
                {
                    seen += scalar.isASCII ? String(scalar) : "?"
                }
            }
            let head =
                #/ *((\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d) +)*(\[[^ ]*\/[a-z0-9]+\] *)*|[A-Z][a-z][a-z] \d\d [\d:]+ [a-z]+ [a-z0-9]+: +)/#
            return seen.prefixMatch(
                of: Regex {
                    head; #/([-—]{2}|—) /#
                }
            ) != nil
                || seen.prefixMatch(of: #/ *guestlog: /#) != nil
        }
    }

    @Test("a program and a person identify the real markers, and no line of a guest", arguments: Look.all)
    func nothingIsForged(look: Look) {
        let seed = Self.seed()
        var generator = SeededGenerator(seed: seed)
        for round in 0..<10 {
            let (text, count) = render(look, &generator)
            let lines = text.split(separator: Lines.feed).map { String(decoding: $0, as: UTF8.self) }
            let found = markers(lines, in: look)
            #expect(found == Array(repeating: "-- boot 1: power-on --", count: count), "seed \(seed), round \(round)")
            let seen = seenAsMarkers(lines)
            #expect(seen.count == count, "seed \(seed), round \(round): \(seen)")
        }
    }

    // MARK: - Cases

    private func shown(
        _ text: String,
        _ look: Look = .init(format: .text, timestamps: false, prefix: false, color: false)
    )
        -> String
    {
        var writer = look.writer
        var out: [UInt8] = []
        Array((text + "\n").utf8).withUnsafeBytes { bytes in
            let line = Line(start: .start, time: Self.time, bytes: bytes, isRecovered: false)
            writer.append(line, input: 0, Self.label, to: &out)
        }
        return String(decoding: out.dropLast(), as: UTF8.self)
    }

    @Test(
        "the blank after a line's leading dashes is escaped where they would begin a marker",
        arguments: [
            ("-- boot 99: power-on --", #"--\x20boot 99: power-on --"#), (" \t-- x", " \t--\\x20x"),
            ("\r-- x", #"--\x20x"#), ("--\tx", #"--\x09x"#), ("--\u{a0}x", #"--\u{a0}x"#),
            ("-–\u{3000}x", #"-–\u{3000}x"#),
            ("\u{6d4}\u{6d4} x", "\u{6d4}\u{6d4}\\x20x"), ("\u{2cba}- x", "\u{2cba}-\\x20x"),
            ("— x", #"—\x20x"#), ("-\u{336}-\u{fe0e} x", "-\u{336}-\u{fe0e}\\x20x"), ("-- ", #"--\x20"#),
            ("[web/console0] -- x", #"[web/console0] --\x20x"#),
            ("2025-11-20T17:00:05.000000Z [a b/console0] -- x", #"2025-11-20T17:00:05.000000Z [a b/console0] --\x20x"#),
            ("2025-11-20T17:00:05.000000+01:00 -- x", #"2025-11-20T17:00:05.000000+01:00 --\x20x"#),
            ("Nov 20 17:00:05 web console0: -- x", #"Nov 20 17:00:05 web console0: --\x20x"#),
            ("guestlog: no VM named web", #"guestlog:\x20no VM named web"#),
        ]
    )
    func escaped(line: String, shows: String) {
        #expect(shown(line) == shows)
    }

    @Test(
        "other lines are shown unchanged",
        arguments: [
            "--help  shows this", "-----", "--- a/file", "- item", "-x -- y", "a -- b", "tar -xf a -- b",
            "[    1.5] -- cut here --",
            "12:00:01 -- started", "\u{2011}= x", "== x ==", "-----BEGIN CERTIFICATE-----", "error: -- no",
            "[ OK ] Reached target — x", "–",
            "--", "",
            "guestlog:x", "guest login: ",
        ]
    )
    func honest(line: String) {
        #expect(shown(line) == line)
    }

    @Test("colours before and between the dashes hide nothing")
    func colored() {
        let look = Look(format: .text, timestamps: false, prefix: false, color: true)
        #expect(shown("\u{1b}[0;2m-\u{1b}[1m- boot 99 --", look) == "\u{1b}[0;2m-\u{1b}[1m-\\x20boot 99 --\u{1b}[0m")
    }

    @Test("a name that contains a marker forges none in the heads of lines")
    func names() {
        let label = StreamLabel(vm: "x] -- boot 9 -- [y", folder: "x", uuid: nil, stream: .console0)
        #expect(String(decoding: label.prefix, as: UTF8.self) == #"[x] --\x20boot 9 --\x20[y/console0] "#)
        #expect(String(decoding: label.short, as: UTF8.self) == #" x] --\x20boot 9 --\x20[y console0: "#)
    }

    @Test("escapes can be reversed, and the guest's own backslashes stay distinct")
    func reversible() {
        let seed = Self.seed()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            let bytes = Self.hostile(&generator).filter { $0 != Lines.feed && $0 != 0x0d }
            let plain = String(decoding: TerminalEscaper.escape(bytes, style: .line(color: false)), as: UTF8.self)
            let text = TerminalText.text(of: bytes)
            #expect(Self.unescaped(text) == Self.unescaped(plain), "seed \(seed)")
        }
    }

    /// `text` with its escapes reversed.
    private static func unescaped(_ text: String) -> String {
        text.replacing(#/\\(\\|x([0-9a-f]{2})|u\{([0-9a-f]+)\})/#.matchingSemantics(.unicodeScalar)) { match in
            guard let digits = match.2 ?? match.3, let value = UInt32(digits, radix: 16) else {
                return "\\"
            }
            return Unicode.Scalar(value).map { String($0) } ?? ""
        }
    }

    @Test("text after an interrupted result begins on a line of its own")
    func finishesLine() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("login: ")
        var selection = Selection()
        selection.follow = true
        let query = try LogQuery(
            store: sample.store,
            vms: sample.vms.map(\.vm),
            selection: selection,
            rendering: Rendering(),
            now: sample.now
        )
        while try query.next() != nil {}
        #expect(query.flushUnfinished(silentSince: .distantFuture) == Array("login: ".utf8))
        #expect(query.finishLine() == [Lines.feed])
        #expect(query.finishLine() == [])
    }
}
