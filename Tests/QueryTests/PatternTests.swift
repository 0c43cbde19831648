// SPDX-License-Identifier: Apache-2.0

import TestSupport
import TestTraits
import Testing

@testable import Query

@Suite("Patterns", .blocking)
struct PatternTests {
    private func matches(_ expression: String, _ text: [UInt8], ignoreCase: Bool? = nil) throws -> Bool {
        let pattern = try Pattern(expression, ignoreCase: ignoreCase)
        return text.withUnsafeBytes { pattern.matches($0) }
    }

    private func matches(_ expression: String, _ text: String, ignoreCase: Bool? = nil) throws -> Bool {
        try matches(expression, Array(text.utf8), ignoreCase: ignoreCase)
    }

    @Test("an expression matches anywhere in a line, with its position")
    func matchRange() throws {
        let pattern = try Pattern("l[io]n+ux")
        let text = Array("[    0.000000] Linux version".utf8)
        #expect(text.withUnsafeBytes { pattern.firstMatch(in: $0) } == 15..<20)
        #expect(try !matches("linux$", "Linux version"))
    }

    @Test("an empty text can be matched")
    func emptyText() throws {
        #expect(try matches("^$", ""))
        #expect(try !matches("x", ""))
        let pattern = try Pattern("^$")
        #expect(pattern.firstMatch(in: UnsafeRawBufferPointer(start: nil, count: 0)) == 0..<0)
        #expect(pattern.abandonedMatches == 0)
    }

    @Test("one matcher serves many texts, and finds all matches")
    func reuse() throws {
        var matcher = Matcher(try Pattern("ab"))
        let (text, other) = (Array("ab.ab".utf8), Array("none".utf8))
        let found = text.withUnsafeBytes { matcher.matches(in: $0) }
        #expect(found == [0..<2, 3..<5])
        let matchesOther = other.withUnsafeBytes { matcher.matches($0) }
        #expect(!matchesOther)
    }

    @Test("an expression without capitals ignores case, unless specified otherwise")
    func smartCase() throws {
        #expect(try matches("panic", "Kernel PANIC"))
        #expect(try matches("größe", "GRÖSSE GRÖẞE"))
        #expect(try !matches("Panic", "kernel panic"))
        #expect(try !matches("panic", "PANIC", ignoreCase: false))
        #expect(try matches("Panic", "PANIC", ignoreCase: true))
        for expression in [#"\Spanic"#, #"\p{Lu}?panic"#, #"\pLpanic"#, #"\x41?panic"#, #"\x4Bpanic"#, #"\x{4B}panic"#]
        {
            #expect(try Pattern(expression).ignoresCase)
        }
        #expect(try !Pattern(#"\\S"#).ignoresCase)
        #expect(try !Pattern(#"\xABC"#).ignoresCase)
    }

    @Test("a line's end is found before any of its terminators", arguments: ["", "\n", "\r\n", "\r\r\n", "\r"])
    func lineEnds(_ end: String) throws {
        #expect(try matches("login:$", "host login:" + end))
        #expect(try matches("^host.*login:$", "boot\n" + "host login:" + end))
    }

    @Test("a byte that is not UTF-8 is one character, which is neither a letter nor a space")
    func invalidText() throws {
        #expect(try matches("b.d", [0xff, 0xc3, 0x62, 0xc3, 0xa4, 0x64, 0xe2, 0x82]))
        #expect(try matches("^.$", [0xff]) && matches("^...$", [0xed, 0xa0, 0x80]))
        let parts = ["start of ", " line: password=hun", "ter2 end"].map { Array($0.utf8) }
        let text = Array(parts.joined(separator: [0xfe]))
        for expression in ["start.*end", "start of . line", "^[^p]*password", #"of \W line"#] {
            #expect(try matches(expression, text), "\(expression)")
        }
        #expect(try !matches(#"of [\w\s] line"#, text))
        let secret = try text.withUnsafeBytes { try Pattern(#"password=\S+"#).firstMatch(in: $0) }
        #expect(secret == 17..<34)
        // A match may end before any of these bytes.
        let stray = Array("ab".utf8) + [0x80] + Array("ab é ab".utf8) + [0xbf]
        var matcher = Matcher(try Pattern("ab|$"))
        let found = stray.withUnsafeBytes { matcher.matches(in: $0) }
        #expect(found == [0..<2, 3..<5, 9..<11, 12..<12])
        let hasGivenUp = matcher.hasGivenUp
        #expect(!hasGivenUp)
        #expect(try matches("panic", [0x00, 0x9b, 0xed, 0xa0, 0x80] + Array("panic".utf8) + [0xf4, 0x90]))
    }

    @Test(
        "an invalid expression is refused with the reason and the position",
        arguments: [("a(b", 3), ("[z-a]", 3), ("*a", 0), ("a\\", 2), (#"\C"#, 2)]
    )
    func refused(_ expression: String, _ offset: Int) {
        let error = #expect(throws: PatternError.self) { try Pattern(expression) }
        #expect(error?.offset == offset)
        #expect(error?.description.contains("'\(expression)' is not a regular expression: ") == true)
    }

    @Test("an expression that is too long or too large is refused")
    func tooLarge() {
        #expect(throws: PatternError.self) { try Pattern(String(repeating: "a", count: Pattern.maximumLength + 1)) }
        #expect(throws: PatternError.self) { try Pattern("(((a{1000}){1000}){1000})") }
        #expect(throws: PatternError.self) { try Pattern(String(repeating: "(", count: 2000)) }
    }

    @Test("a match that would take too long is given up and counted")
    func catastrophe() throws {
        let pattern = try Pattern("(a+)+$")
        let text = Array(repeating: UInt8(ascii: "a"), count: 5000) + [UInt8(ascii: "!")]
        #expect(!text.withUnsafeBytes { pattern.matches($0) })
        #expect(pattern.abandonedMatches == 1)
    }

    @Test("a match that waits for a processor, however long, does not use up the time of a bounded pattern")
    func interrupted() {
        #expect(Pattern.cost(ofMatchTaking: 60_000_000_000, in: 100) < Pattern.budget / 10)
        #expect(Pattern.cost(ofMatchTaking: 1_000_000, in: 100) > 900_000)
        #expect(Pattern.cost(ofMatchTaking: 1000, in: 100) < 0)
    }

    @Test("threads may share a pattern")
    func shared() async throws {
        let pattern = try Pattern("needle [0-9]+")
        let found = await withTaskGroup(of: Int.self) { group in
            for task in 0..<8 {
                group.addTask {
                    var matcher = Matcher(pattern)
                    return (0..<2000).count { round in
                        let word = round % 2 == task % 2 ? "needle" : "straw"
                        return Array("hay \(word) \(round)".utf8).withUnsafeBytes { matcher.matches($0) }
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(found == 8 * 1000)
    }
}

@Suite("The literal every match contains", .blocking)
struct RequiredLiteralTests {
    @Test(
        "is the longest that is certain",
        arguments: [
            ("panic", "panic"), ("Kernel panic - not syncing", "Kernel panic - not syncing"), (#"a\.b\[c"#, "a.b[c"),
            ("^foo.*barbaz$", "barbaz"), ("abc*d", "ab"), ("abc+de", "abc"), ("abc?", "ab"), ("abc{0,3}defg", "defg"),
            ("(x|y)tail", "tail"), ("(a(b|c)[)]d)?end", "end"), ("[]abc]xy[^]]z", "xy"), ("[[:space:]]err", "err"),
            (#"\bword\b"#, "word"), (#"tab\there"#, "tab\there"), ("größe?n", "größ"), ("gaß*e", "ga"),
            ("(?:ab)cde", "cde"),
            ("(?=x)abc", "abc"), ("a]b}", "a]b}"),
        ]
    )
    func found(_ expression: String, _ literal: String) throws {
        let pattern = try Pattern(expression, ignoreCase: false)
        #expect(pattern.requiredLiteral.map { String(decoding: $0, as: UTF8.self) } == literal)
    }

    @Test(
        "is not guessed",
        arguments: [
            "a|b", "foo|bar", "(?i)panic", "(?x)a b", "(?i:a)bc", #"\Qa*b\E"#, "x*", ".*", "[abc]", "(abc)", "a{b}",
            #"\x41bc"#, #"(\c))abc"#, "(?#a)bc", "(*UTF)abc", "(a)(?1)bc", "",
        ]
    )
    func notFound(_ expression: String) throws {
        #expect(try Pattern(expression, ignoreCase: false).requiredLiteral == nil)
    }

    @Test("is not used where case is ignored")
    func caseless() throws {
        #expect(try Pattern("panic").requiredLiteral == nil)
    }

    @Test("is in every text that random expressions match")
    func property() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        var matched = 0
        for round in 0..<40_000 {
            let expression = Self.expression(using: &generator)
            guard let pattern = try? Pattern(expression, ignoreCase: false), let literal = pattern.requiredLiteral
            else {
                continue
            }
            var matcher = Matcher(pattern)
            for _ in 0..<12 {
                let text = Self.text(like: expression, using: &generator)
                let range = text.withUnsafeBytes { matcher.firstMatch(in: $0) }
                guard range != nil else {
                    continue
                }
                matched += 1
                if !Self.contains(text, literal) {
                    Issue.record("seed \(seed), round \(round): \(expression) matches \(text) without \(literal)")
                    return
                }
            }
        }
        #expect(matched > 1000, "seed \(seed) tried too little")
    }

    private static func expression(using generator: inout SeededGenerator) -> String {
        let atoms = [
            "a", "b", "c", "ä", "a", "b", ".", "^", "$", "[ab]", "[^c]", "[]a]", "[[:alpha:]]", "(", ")", "(?:", "(?=",
            "(?!", "(?<=", "(?>", "(?i)", "(?x)", "(?#", "|", "*", "+", "?", "{", "}", "{2}", "{0,1}", "{,2}", "{1,}",
            #"\."#, #"\\"#, #"\d"#, #"\w"#, #"\b"#, #"\K"#, #"\Q"#, #"\E"#, #"\x61"#, #"\ca"#, #"\("#, #"\1"#, "]", "-",
            " ",
            "#", ",", "1", "(?1)", "(?R)", "(*ACCEPT)", "(*F)", "[", #"\c)"#, #"[\]a]"#, "(?<n>", #"\g{1}"#, #"\N"#,
        ]
        return (0..<Int.random(in: 1...7, using: &generator)).map { _ in atoms.randomElement(using: &generator)! }
            .joined()
    }

    /// A text that is likely to match: letters, or pieces of the expression itself.
    private static func text(like expression: String, using generator: inout SeededGenerator) -> [UInt8] {
        let letters = Array("aabbc.(){}|\\]1 #,-\n".utf8)
        var text: [UInt8] = []
        for _ in 0..<Int.random(in: 0...8, using: &generator) {
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: text += "ä".utf8
            case 1: text.append(expression.utf8.randomElement(using: &generator)!)
            default: text.append(letters.randomElement(using: &generator)!)
            }
        }
        return text
    }

    private static func contains(_ text: [UInt8], _ part: [UInt8]) -> Bool {
        text.count >= part.count && (0...text.count - part.count).contains { text[$0...].starts(with: part) }
    }
}
