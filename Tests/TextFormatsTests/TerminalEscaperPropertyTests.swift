// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing

@testable import TextFormats

@Suite("The terminal escaper, over hostile text", .blocking)
struct TerminalEscaperPropertyTests {
    /// A new seed for every run; a failure prints it.
    private let seed = UInt64.random(in: 0...UInt64.max)
    private static let inputs = 25_000

    private func forEachInput(_ body: ([UInt8], inout SeededGenerator) -> Bool) {
        var generator = SeededGenerator(seed: seed)
        for round in 0..<Self.inputs {
            let text = HostileText.make(using: &generator)
            guard body(text, &generator) else {
                Issue.record("seed \(seed), round \(round), input \(text)")
                return
            }
        }
    }

    @Test("the output is well-formed UTF-8 that a terminal does not act on, except for colours")
    func outputIsSafe() {
        forEachInput { text, _ in
            for color in [false, true] {
                let out = TerminalEscaper.escape(text, style: .line(color: color))
                guard let rest = color ? removingColors(out) : out, isSafe(rest) else {
                    return false
                }
            }
            let field = TerminalEscaper.escape(text, style: .field)
            return isSafe(TerminalEscaper.escape(text, style: .exact)) && isSafe(field) && !field.contains(0x0a)
                && !field.contains(0x09)
        }
    }

    @Test("exactly escaped bytes are restored by unescaping")
    func exactRoundTrip() {
        forEachInput { text, _ in
            TerminalEscaper.unescape(TerminalEscaper.escape(text, style: .exact)) == text
                && TerminalEscaper.unescape(TerminalEscaper.escape(text, style: .field)) == text
        }
    }

    @Test("no line begins in the colour of another")
    func colorEndsWithTheLine() {
        forEachInput { text, _ in
            let out = TerminalEscaper.escape(text, style: .line(color: true))
            return lastColor(in: out[...])?.allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ";") } ?? true
        }
    }

    @Test("the output does not depend on where the input is divided")
    func cutsAreInvisible() {
        forEachInput { text, generator in
            for style in [TerminalEscaper.Style.line(color: true), .line(color: false), .exact, .field] {
                var escaper = TerminalEscaper(style: style)
                var out: [UInt8] = []
                var rest = text[...]
                while !rest.isEmpty {
                    let piece = rest.prefix(Int.random(in: 0...4, using: &generator))
                    Array(piece).withUnsafeBytes { escaper.escape($0, into: &out) }
                    rest = rest.dropFirst(piece.count)
                }
                escaper.finish(into: &out)
                guard out == TerminalEscaper.escape(text, style: style) else {
                    return false
                }
            }
            return true
        }
    }

    @Test("every code point alone is shown either unchanged or as its escape")
    func everyCodePoint() {
        for value in UInt32(0)...0x10ffff {
            guard let scalar = Unicode.Scalar(value) else {
                continue
            }
            let bytes = Array(String(Character(scalar)).utf8)
            let out = TerminalEscaper.escape(bytes, style: .exact)
            let passes = value == 0x0a || value == 0x09 || (!scalar.isTerminalHazard && value != 0x5c)
            if (out == bytes) != passes || TerminalEscaper.unescape(out) != bytes {
                Issue.record("U+\(String(value, radix: 16)) came out as \(out)")
            }
        }
    }

    @Test("ignorables, controls and noncharacters of Unicode are hazards, except for two variation selectors")
    func hazardsFollowUnicode() {
        for value in UInt32(0)...0x10ffff {
            guard let scalar = Unicode.Scalar(value) else {
                continue
            }
            let properties = scalar.properties
            let ignorable = properties.isDefaultIgnorableCodePoint || properties.isBidiControl
            let control = properties.generalCategory == .control
            let separator = [.lineSeparator, .paragraphSeparator].contains(properties.generalCategory)
            let wanted = ignorable || control || separator || properties.isNoncharacterCodePoint
            // The annotation marks (U+FFF9–FFFB) hide text, contrary to Unicode.
            if [0xfe0e, 0xfe0f, 0xfff9, 0xfffa, 0xfffb].contains(value) {
                continue
            }
            if scalar.isTerminalHazard != wanted {
                Issue.record("U+\(String(value, radix: 16)) should \(wanted ? "" : "not ")be a hazard")
            }
        }
    }

    // MARK: A second, independent reading of the output

    private func isSafe(_ bytes: [UInt8]) -> Bool {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return false
        }
        return text.unicodeScalars.allSatisfy { scalar in
            let value = scalar.value
            let isForbidden =
                value < 0x20 || (0x7f...0x9f).contains(value) || value == 0x61c
                || [0x200b, 0x200e, 0x200f].contains(value)
                || (0x2028...0x202e).contains(value) || (0x2060...0x2069).contains(value) || value == 0xfeff
                || (0xe0000...0xe007f).contains(value) || value == 0xad || value & 0xfffe == 0xfffe
                || (0xfdd0...0xfdef).contains(value)
            return !isForbidden || value == 0x0a || value == 0x09
        }
    }

    /// The bytes without their SGR sequences, or nil when an ESC begins anything else.
    private func removingColors(_ bytes: [UInt8]) -> [UInt8]? {
        var out: [UInt8] = []
        var rest = bytes[...]
        while let byte = rest.popFirst() {
            guard byte == 0x1b else {
                out.append(byte)
                continue
            }
            guard rest.popFirst() == UInt8(ascii: "[") else {
                return nil
            }
            let parameters = rest.prefix { "0123456789;:".utf8.contains($0) }
            rest = rest.dropFirst(parameters.count)
            guard parameters.count <= 32, rest.popFirst() == UInt8(ascii: "m") else {
                return nil
            }
        }
        return out
    }

    private func lastColor(in line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let escape = line.lastIndex(of: 0x1b) else {
            return nil
        }
        return line[(escape + 2)...].prefix { $0 != UInt8(ascii: "m") }
    }
}
