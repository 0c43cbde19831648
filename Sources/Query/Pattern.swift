// SPDX-License-Identifier: Apache-2.0

import CPCRE2
import Synchronization
import SystemIO
import TextFormats

/// A regular expression (PCRE2, Perl syntax) over a guest's bytes.
///
/// Expressions are UTF-8 and match characters; each byte of the text that is not UTF-8 is one character, for `.` and
/// negated classes. `^` and `$` match at every line's start and end, where CR, LF and CR LF end a line, so a
/// console's CRs do not matter.
///
/// A pattern is immutable and may be shared between threads. For matching, each thread uses a `Matcher`.
public final class Pattern: Sendable {
    public let expression: String
    public let ignoresCase: Bool
    /// A run of bytes that every match contains, for a fast search before matching; nil when there is none or it is not
    /// certain.
    let requiredLiteral: [UInt8]?

    /// `pcre2_code`, read-only after compilation.
    fileprivate nonisolated(unsafe) let code: OpaquePointer
    private let abandoned = Atomic<Int>(0)
    /// Whether matching is limited in time.
    private let isBounded: Bool
    /// Nanoseconds that matching has used beyond the allowance for the text.
    private let debt = Atomic<Int64>(0)

    /// Maximum size of an expression: expressions come from the network too, and compiling uses memory.
    static let maximumLength = 4096

    /// Nanoseconds that a bounded pattern may use, and what each line and each byte adds to them. A common expression
    /// uses a tenth of that, whatever the length of the log; one with much backtracking at each byte reaches the limit
    /// early.
    static let budget: Int64 = 1_000_000_000
    private static let lineAllowance: Int64 = 2000
    private static let byteAllowance: Int64 = 125
    /// What one match counts at most, in nanoseconds. Its steps are limited to far less: one that takes longer has waited
    /// for a processor.
    private static let longestMatch: Int64 = 20_000_000

    /// Backtracking steps after which a match is given up: about a millisecond. A normal expression needs a few per
    /// byte of a line; PCRE2's own limit of ten million would let each line of a hostile guest cost ten times that.
    static let maximumSteps: UInt32 = 1_000_000
    /// Maximum memory for backtracking in the interpreter, in KiB, where there is no just-in-time compiler.
    static let maximumHeap: UInt32 = 8192

    /// Compiles `expression`. Case is ignored when `ignoreCase` is true, or nil and the expression has no capital
    /// letter, as in journalctl; `\S` and `\p{Lu}` do not count as capitals. With `isBounded`, matching is given up for
    /// good when it takes much longer than the text justifies, because other clients share its threads.
    public init(_ expression: String, ignoreCase: Bool? = nil, isBounded: Bool = false) throws(PatternError) {
        let bytes = Array(expression.utf8)
        guard bytes.count <= Self.maximumLength else {
            let reason = "it is longer than \(Self.maximumLength) bytes"
            throw PatternError(expression: expression, reason: reason, offset: Self.maximumLength)
        }
        let ignoresCase = ignoreCase ?? !Self.hasCapital(expression)
        guard let context = pcre2_compile_context_create_8(nil) else {
            throw PatternError(expression: expression, reason: "out of memory", offset: 0)
        }
        defer { pcre2_compile_context_free_8(context) }
        pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_ANYCRLF))

        // \C would match half a character.
        var options = PCRE2_UTF | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C
        if ignoresCase {
            options |= PCRE2_CASELESS
        }
        var problem: Int32 = 0
        var offset = 0
        guard let code = pcre2_compile_8(bytes, bytes.count, UInt32(options), &problem, &offset, context) else {
            throw PatternError(expression: expression, reason: Self.message(for: problem), offset: offset)
        }
        // Without a just-in-time compiler, or memory for it, the interpreter is used.
        pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE)
        self.code = code
        self.isBounded = isBounded
        self.expression = expression
        self.ignoresCase = ignoresCase
        requiredLiteral = ignoresCase ? nil : RequiredLiteral.find(in: bytes)
    }

    deinit {
        pcre2_code_free_8(code)
    }

    /// The number of matches that were given up because they exceeded the limits; each counted as no match.
    public var abandonedMatches: Int {
        abandoned.load(ordering: .relaxed)
    }

    /// Whether a bounded pattern has used its time: no more matches are tried.
    var isExhausted: Bool {
        isBounded && debt.load(ordering: .relaxed) > Self.budget
    }

    fileprivate func countAbandoned() {
        abandoned.add(1, ordering: .relaxed)
    }

    /// Runs `match`, which reads `count` bytes, and counts the time it takes when the pattern is bounded.
    fileprivate func timed(_ count: Int, _ match: () -> Int32) -> Int32 {
        guard isBounded else {
            return match()
        }
        let start = SystemClock.monotonicNanoseconds()
        let result = match()
        let cost = Self.cost(ofMatchTaking: SystemClock.monotonicNanoseconds() - start, in: count)
        let total = debt.add(cost, ordering: .relaxed).newValue
        // Unused time of cheap lines does not accumulate.
        if total < 0 {
            debt.store(0, ordering: .relaxed)
        }
        return result
    }

    /// What a match of that duration, in nanoseconds, in a text of `count` bytes adds to the time used; below 0 when it
    /// took less than the text justifies.
    static func cost(ofMatchTaking nanoseconds: Int64, in count: Int) -> Int64 {
        min(nanoseconds, longestMatch) - lineAllowance - byteAllowance * Int64(count)
    }

    /// Whether the pattern matches anywhere in `text`. For many texts, use a `Matcher`.
    func matches(_ text: UnsafeRawBufferPointer) -> Bool {
        firstMatch(in: text) != nil
    }

    /// The first match in `text`.
    func firstMatch(in text: UnsafeRawBufferPointer) -> Range<Int>? {
        var matcher = Matcher(self)
        return matcher.firstMatch(in: text)
    }

    private static func hasCapital(_ expression: String) -> Bool {
        var rest = expression.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            guard scalar == "\\" else {
                if scalar.properties.isUppercase {
                    return true
                }
                continue
            }
            // The argument of \p{Lu}, \pL, \x{1F600} and \x1B belongs to the escape.
            guard let letter = rest.popFirst(), "pPxoNgk".unicodeScalars.contains(letter) else {
                continue
            }
            if rest.first == "{" {
                rest = rest.drop { $0 != "}" }
            } else if letter == "x" {
                rest = rest.dropFirst(rest.prefix(2).prefix { $0.properties.isASCIIHexDigit }.count)
            } else if letter == "p" || letter == "P" {
                rest = rest.dropFirst()
            }
        }
        return false
    }

    private static func message(for problem: Int32) -> String {
        var text = [UInt8](repeating: 0, count: 256)
        let count = pcre2_get_error_message_8(problem, &text, text.count)
        return count < 0 ? "error \(problem)" : String(decoding: text.prefix(Int(count)), as: UTF8.self)
    }
}

/// The memory for matching a pattern on one thread: the result and a stack.
public struct Matcher: ~Copyable {
    private let pattern: Pattern
    private let result: OpaquePointer?
    private let context: OpaquePointer?
    private let stack: OpaquePointer?
    /// Whether a match was given up, and counted as none.
    public private(set) var hasGivenUp = false

    /// Size of the stack of compiled expressions: starts small, grows only when needed.
    private static let stackSize = 32 << 10...1 << 20

    public init(_ pattern: Pattern) {
        self.pattern = pattern
        result = pcre2_match_data_create_from_pattern_8(pattern.code, nil)
        context = pcre2_match_context_create_8(nil)
        stack = pcre2_jit_stack_create_8(Self.stackSize.lowerBound, Self.stackSize.upperBound, nil)
        if let context {
            pcre2_set_match_limit_8(context, Pattern.maximumSteps)
            pcre2_set_depth_limit_8(context, Pattern.maximumSteps)
            pcre2_set_heap_limit_8(context, Pattern.maximumHeap)
            if let stack {
                pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
            }
        }
    }

    deinit {
        pcre2_match_data_free_8(result)
        pcre2_match_context_free_8(context)
        pcre2_jit_stack_free_8(stack)
    }

    public mutating func matches(_ text: UnsafeRawBufferPointer) -> Bool {
        firstMatch(in: text) != nil
    }

    /// The first match in `text`. A match that exceeds the limits counts as none, and is counted by the pattern.
    mutating func firstMatch(in text: UnsafeRawBufferPointer) -> Range<Int>? {
        var first: Range<Int>?
        search(text) { match in
            first = match
            return false
        }
        return first
    }

    /// All matches in `text` that do not overlap, in order. An empty one is followed by a search from the next character.
    public mutating func matches(in text: UnsafeRawBufferPointer) -> [Range<Int>] {
        var all: [Range<Int>] = []
        search(text) { match in
            all.append(match)
            return true
        }
        return all
    }

    /// Calls `body` with each match, until it returns false. The text is checked for bytes that are not UTF-8 once: the
    /// searches after the first begin at characters of a text that PCRE2 has accepted.
    private mutating func search(_ text: UnsafeRawBufferPointer, _ body: (Range<Int>) -> Bool) {
        switch match(text, from: 0, options: 0) {
        case PCRE2_ERROR_UTF8_ERR21...PCRE2_ERROR_UTF8_ERR1:
            InvalidBytes.substituted(in: text).withUnsafeBytes { text in
                goThrough(text, match(text, from: 0, options: UInt32(PCRE2_NO_UTF_CHECK)), body)
            }
        case let found:
            goThrough(text, found, body)
        }
    }

    private mutating func goThrough(
        _ text: UnsafeRawBufferPointer,
        _ first: Int32,
        _ body: (Range<Int>) -> Bool
    ) {
        var found = first
        while let range = range(found, in: text), body(range) {
            var start = range.upperBound
            if range.isEmpty {
                start = text.dropFirst(start + 1).firstIndex { $0 & 0xc0 != 0x80 } ?? text.count
            }
            guard start < text.count else {
                return
            }
            found = match(text, from: start, options: UInt32(PCRE2_NO_UTF_CHECK))
        }
    }

    /// The range of the match that was found; nil when there was none.
    private mutating func range(_ found: Int32, in text: UnsafeRawBufferPointer) -> Range<Int>? {
        guard found >= 0 else {
            if found != PCRE2_ERROR_NOMATCH {
                giveUp()
            }
            return nil
        }
        guard let ends = pcre2_get_ovector_pointer_8(result), ends[0] <= ends[1] else {
            // \K inside a look-ahead can set the start after the end: it matched, but has no range.
            return text.count..<text.count
        }
        return ends[0]..<ends[1]
    }

    /// PCRE2's result of a search; an error without memory, or when the pattern has used its time.
    private func match(_ text: UnsafeRawBufferPointer, from start: Int, options: UInt32) -> Int32 {
        guard !pattern.isExhausted, let result, let context else {
            return PCRE2_ERROR_MATCHLIMIT
        }
        return withExtendedLifetime(pattern) {
            // PCRE2 accepts no null pointer, even for no bytes.
            withUnsafeBytes(of: UInt8(0)) { empty in
                let base = (text.baseAddress ?? empty.baseAddress!).assumingMemoryBound(to: UInt8.self)
                return pattern.timed(text.count - start) {
                    pcre2_match_8(pattern.code, base, text.count, start, options, result, context)
                }
            }
        }
    }

    private mutating func giveUp() {
        hasGivenUp = true
        if !pattern.isExhausted {
            pattern.countAbandoned()
        }
    }
}

/// Why an expression is not valid, and where.
public struct PatternError: Error, Hashable, Sendable, CustomStringConvertible {
    public var expression: String
    public var reason: String
    /// The offset of the error in the expression, in bytes.
    public var offset: Int

    public var description: String {
        "'\(expression)' is not a regular expression: \(reason), at byte \(offset)"
    }
}
