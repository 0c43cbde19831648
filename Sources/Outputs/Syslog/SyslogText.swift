// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Text as syslog daemons write it: without characters that a terminal or a line-oriented reader would act on.
enum SyslogText {
    /// Appends `text` as valid UTF-8. A control character and a noncharacter becomes `#` and its code in octal, at least
    /// three digits; each maximal part of malformed UTF-8 becomes U+FFFD. These are the rules of ChromeOS's log forwarder
    /// for the text of virtual machines, and for control characters those of rsyslog. Characters that reorder or break a
    /// line are treated as control characters, which the forwarder leaves as they are.
    static func append(_ text: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        var offset = 0
        while offset < text.count {
            let end = plainEnd(of: text, from: offset)
            if end > offset {
                out.append(contentsOf: UnsafeRawBufferPointer(rebasing: text[offset..<end]))
                offset = end
                continue
            }
            guard text[offset] >= 0x80 else {
                appendCode(UInt32(text[offset]), to: &out)
                offset += 1
                continue
            }
            var parser = UTF8.ForwardParser()
            var rest = text[offset..<min(text.count, offset + 4)].makeIterator()
            switch parser.parseScalar(from: &rest) {
            case .valid(let encoded):
                let scalar = UTF8.decode(encoded)
                if isHidden(scalar.value) {
                    appendCode(scalar.value, to: &out)
                } else {
                    out.append(contentsOf: encoded)
                }
                offset += encoded.count
            case .error(let length):
                out.append(contentsOf: "\u{fffd}".utf8)
                offset += max(1, length)
            case .emptyInput:
                return
            }
        }
    }

    /// The end of the run of printable ASCII that begins at `start`.
    private static func plainEnd(of text: UnsafeRawBufferPointer, from start: Int) -> Int {
        var offset = start
        while true {
            // A backslash is a character like any other here.
            offset = PlainText.end(in: text, from: offset)
            guard offset < text.count, text[offset] == UInt8(ascii: "\\") else {
                return offset
            }
            offset += 1
        }
    }

    private static func isHidden(_ code: UInt32) -> Bool {
        switch code {
        case 0..<0x20, 0x7f...0x9f, 0xfdd0...0xfdef: true
        // The bidirectional controls, and the line and paragraph separators.
        case 0x61c, 0x200e...0x200f, 0x2028...0x202e, 0x2066...0x2069: true
        default: code & 0xfffe == 0xfffe
        }
    }

    private static func appendCode(_ code: UInt32, to out: inout [UInt8]) {
        let digits = String(code, radix: 8)
        out.append(UInt8(ascii: "#"))
        out.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: max(0, 3 - digits.utf8.count)))
        out.append(contentsOf: digits.utf8)
    }

    /// Appends at most `limit` characters of `text` as a field of the header: printable ASCII without blanks; others become
    /// `_`, and nothing becomes `-` (RFC 5424, section 6).
    static func append(field text: some Collection<UInt8>, limit: Int, to out: inout [UInt8]) {
        guard !text.isEmpty else {
            out.append(UInt8(ascii: "-"))
            return
        }
        for byte in text.prefix(limit) {
            out.append((0x21..<0x7f).contains(byte) ? byte : UInt8(ascii: "_"))
        }
    }

    /// Appends a parameter of structured data, ` name="value"`, with `"`, `\` and `]` escaped (RFC 5424, section 6.3.3).
    static func append(parameter name: String, _ value: some Sequence<UInt8>, to out: inout [UInt8]) {
        out.append(UInt8(ascii: " "))
        out.append(contentsOf: name.utf8)
        out.append(contentsOf: #"=""#.utf8)
        var text: [UInt8] = []
        Array(value).withUnsafeBytes { append($0, to: &text) }
        for byte in text {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "]") {
                out.append(UInt8(ascii: "\\"))
            }
            out.append(byte)
        }
        out.append(UInt8(ascii: "\""))
    }
}
