// SPDX-License-Identifier: Apache-2.0

import Libvirt
import LogModel

@testable import Query
@testable import TextFormats
@testable import VirtLogManager

// Parsers of what clients, guests and libvirt write.
extension FuzzTarget {
    static func xdr(_ bytes: [UInt8]) throws {
        var session = LogManagerSession()
        // The length of the first part is the first byte.
        let first = Int(bytes.first ?? 0)
        session.receive(Array(bytes.dropFirst().prefix(first)))
        var actions = 0
        for part in [[], Array(bytes.dropFirst(1 + first))] {
            session.receive(part)
            while let action = session.next() {
                actions += 1
                try require(actions <= bytes.count, "more actions than bytes")
                switch action {
                case .send: break
                case .perform: _ = session.reply(.appended)
                case .close: return
                }
            }
        }
    }

    static func xml(_ bytes: [UInt8]) throws {
        guard let xml = try? DomainXML(bytes) else {
            return
        }
        try require(xml.text == bytes, "XML that was not edited has changed")
        _ = try? DomainFacts(xml: bytes)
        _ = (xml.name, xml.uuid)
    }

    static func json(_ bytes: [UInt8]) throws {
        guard let json = try? JSON(parsing: bytes) else {
            return
        }
        let again = try JSON(parsing: json.bytes)
        try require(again == json, "\(json) is \(again) after it was written and parsed")
        try require(again.bytes == json.bytes, "it is written in two ways")
    }

    static func escaper(_ bytes: [UInt8]) throws {
        for style in [TerminalEscaper.Style.line(color: false), .exact, .field] {
            let out = TerminalEscaper.escape(bytes, style: style)
            guard let text = String(validating: out, as: UTF8.self) else {
                throw Violation(description: "\(style): the output is not UTF-8")
            }
            let hazards = text.unicodeScalars.filter {
                $0.isTerminalHazard && !["\n", "\t", "\u{200c}", "\u{200d}"].contains($0)
            }
            try require(hazards.isEmpty, "\(style): the output has U+\(hazards.map(\.value))")
            var escaper = TerminalEscaper(style: style)
            var pieces: [UInt8] = []
            for byte in bytes {
                [byte].withUnsafeBytes { escaper.escape($0, into: &pieces) }
            }
            escaper.finish(into: &pieces)
            try require(pieces == out, "\(style): the output depends on where the input is divided")
        }
        // Raw control sequences remain only as colours.
        var rest = TerminalEscaper.escape(bytes, style: .line(color: true))[...]
        while let escape = rest.firstIndex(of: 0x1b) {
            rest = rest[(escape + 1)...]
            let body = rest.dropFirst().prefix { (0x30...0x3b).contains($0) }
            try require(rest.first == UInt8(ascii: "["), "a sequence that is no CSI")
            try require(rest[body.endIndex...].first == UInt8(ascii: "m"), "a CSI that is no SGR")
        }
    }

    /// The first byte says where the rest is divided.
    static func displayed(_ bytes: [UInt8]) throws {
        let text = Array(bytes.dropFirst())
        let lines = text.withUnsafeBytes { Self.cut($0, at: $0.count) }
        let divided = text.withUnsafeBytes { Self.cut($0, at: Int(bytes.first ?? 0) % ($0.count + 1)) }
        try require(lines == divided, "the lines depend on where the text is divided: \(lines), \(divided)")
        try require(lines.flatMap { $0 } == text, "the lines are not the text")
        for line in lines {
            let content = line.last == Lines.feed ? Array(line.dropLast()) : line
            var out: [UInt8] = []
            content.withUnsafeBytes { _ = DisplayedLine.append($0, color: false, to: &out) }
            try require(!out.contains { $0 < 0x20 && $0 != 0x09 || $0 == 0x7f }, "a control character in \(out)")
        }
    }

    private static func cut(_ text: UnsafeRawBufferPointer, at division: Int) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = 0
        var cutter = GrowingLineCutter()
        for end in [division, text.count] {
            while let cut = cutter.firstLine(of: UnsafeRawBufferPointer(rebasing: text[start..<end]), limit: 1024) {
                lines.append(Array(text[start..<start + cut.end]))
                start += cut.end
            }
        }
        return start < text.count ? lines + [Array(text[start...])] : lines
    }

    static func literal(_ bytes: [UInt8]) throws {
        let parts = bytes.split(separator: Lines.feed, maxSplits: 1, omittingEmptySubsequences: false)
        guard let expression = String(validating: parts[0], as: UTF8.self),
            let pattern = try? Pattern(expression, ignoreCase: false), let literal = pattern.requiredLiteral
        else {
            return
        }
        let text = parts.count > 1 ? Array(parts[1]) : []
        let matches = text.withUnsafeBytes { pattern.matches($0) }
        try require(!matches || text.firstRange(of: literal) != nil, "\(expression) matches without \(literal)")
    }

    static func record(_ bytes: [UInt8]) throws {
        let fields = bytes.withUnsafeBytes { buffer in
            var parser = RecordParser(buffer)
            return parser.record()
        }
        guard fields != nil else {
            return
        }
        // Whatever is taken for a record is an object in JSON; members may repeat.
        guard case .object(let members)? = try? JSON(parsing: bytes) else {
            // Limits of depth and number differ.
            return
        }
        try require(fields?.count == members.count, "\(fields?.count ?? 0) fields of \(members.count) members")
    }
}
