// SPDX-License-Identifier: Apache-2.0

public import LogModel
import LogStore
public import TextFormats

/// What a line says, according to its stream's encoding: the one place that knows how each is read.
public struct DecodedLine {
    /// The fields of a structured record; nil for a console's line, and for a record that is not a JSON object.
    public let record: StructuredRecord?
    private let content: UnsafeRawBufferPointer

    /// Decodes a line without its end, valid as long as its bytes.
    public init(_ line: Line) {
        self.init(line.content, line.encoding)
    }

    private init(_ content: UnsafeRawBufferPointer, _ encoding: StreamProperties.Encoding) {
        self.content = content
        record = encoding == .json ? StructuredRecord(parsing: content) : nil
    }

    /// Its severity; nil when it states none.
    public var severity: Severity? {
        guard let record else {
            return Severity(consoleLine: content)
        }
        return record.severity
    }

    /// Calls `body` with what it says: a console's line as it came, a record's message; all fields of a record without
    /// one.
    public func withText<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        guard let record else {
            return body(content)
        }
        guard let message = record.message else {
            return content.isEmpty ? body(content) : Self.fields(of: record).withUnsafeBytes(body)
        }
        return message.withUnsafeBytes(body)
    }

    /// Calls `body` with what formats for people show: as `withText`, after the name of the program that wrote it.
    func withShownText<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        guard let record, let message = record.message, let identifier = record.identifier else {
            return withText(body)
        }
        return (identifier + Array(": ".utf8) + message).withUnsafeBytes(body)
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
