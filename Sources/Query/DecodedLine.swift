// SPDX-License-Identifier: Apache-2.0

public import LogModel
import LogStore
public import TextFormats

/// What a line says, according to its stream's encoding: the one place that knows how each is read.
public struct DecodedLine {
    /// The fields of a structured record; nil for a console's line, and for a record that is not a JSON object.
    public let record: StructuredRecord?
    private let content: UnsafeRawBufferPointer
    /// A console's line as it is displayed; nil when that is as it is stored.
    private let displayed: [UInt8]?
    private let decoder: CharsetDecoder?
    private let sets: CharacterSets
    private let above: UnsafeRawBufferPointer?
    /// The number of visible characters of a console's line that were painted over with others, or erased.
    public let overwritten: Int

    /// Decodes a line without its end, valid as long as its bytes.
    public init(_ line: Line) {
        content = line.content
        record = line.encoding == .json ? StructuredRecord(parsing: content) : nil
        decoder = line.decoder
        sets = line.sets
        above = line.above
        guard line.encoding == .raw, !line.isPlain, !DisplayedLine.isPlain(content) else {
            displayed = decoder?.text(of: content)
            overwritten = 0
            return
        }
        var text: [UInt8] = []
        text.reserveCapacity(content.count)
        overwritten = DisplayedLine.append(content, sets: sets, above: above, color: false, to: &text)
        displayed = decoder?.text(of: text) ?? text
    }

    /// Whether the line is displayed as it is stored.
    var isPlain: Bool { displayed?.elementsEqual(content) ?? true }

    /// The row of the screen that a console's line is painted in.
    var row: DisplayedLine.Row { isPlain ? .unknown : DisplayedLine.row(of: content) }

    /// Its severity; nil when it states none.
    public var severity: Severity? {
        guard let record else {
            return withConsoleText { Severity(consoleLine: $0) }
        }
        return record.severity
    }

    /// Calls `body` with what it says: a console's line as displayed, a record's message; all fields of a record without
    /// one.
    public func withText<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        guard let record else {
            return withConsoleText(body)
        }
        guard let message = record.message else {
            return content.isEmpty ? body(content) : Self.fields(of: record).withUnsafeBytes(body)
        }
        return message.withUnsafeBytes(body)
    }

    /// Calls `body` with a console's line as stored, a record's message.
    func withStoredText<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        record == nil ? body(content) : withText(body)
    }

    /// Calls `body` with a record as it is stored, a JSON object.
    func withStoredRecord(_ body: (UnsafeRawBufferPointer) -> Void) {
        if record != nil {
            body(content)
        }
    }

    /// Calls `body` with a console's line as displayed, with its colours.
    func withColoredText<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        guard displayed != nil else {
            return body(content)
        }
        var text: [UInt8] = []
        DisplayedLine.append(content, sets: sets, above: above, color: true, to: &text)
        return (decoder?.text(of: text) ?? text).withUnsafeBytes(body)
    }

    private func withConsoleText<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        guard let displayed else {
            return body(content)
        }
        return displayed.withUnsafeBytes(body)
    }

    /// Calls `body` with what formats for people show: as `withText`, after the name of the program that wrote it.
    func withShownText<Result>(color: Bool, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        guard let record, let message = record.message, let identifier = record.identifier else {
            return color && record == nil ? withColoredText(body) : withText(body)
        }
        return (identifier + Array(": ".utf8) + message).withUnsafeBytes(body)
    }

    /// Whether formats for people show the name of a program first: a word, before a text that begins no marker.
    var beginsWithProgram: Bool {
        guard let message = record?.message, let identifier = record?.identifier else {
            return false
        }
        let first = message.first ?? UInt8(ascii: "-")
        return identifier.allSatisfy { Self.isLetterOrDigit($0) || "_.@/+-[]".utf8.contains($0) }
            && (0x21..<0x7f).contains(first) && first != UInt8(ascii: "-")
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        byte.isDecimalDigit || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte & 0xdf)
    }

    private static func fields(of record: StructuredRecord) -> [UInt8] {
        var text: [UInt8] = []
        for field in record.fields {
            for value in field.values {
                if !text.isEmpty {
                    text.append(UInt8(ascii: " "))
                }
                text += field.name + [UInt8(ascii: "=")] + value
            }
        }
        return text
    }
}
