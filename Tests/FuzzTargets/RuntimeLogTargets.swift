// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats
import Transforms

// Parsers of runtime logs.
extension FuzzTarget {
    static func logfmt(_ bytes: [UInt8]) throws {
        var record = RecordBuffer()
        let base = record.store(bytes).lowerBound
        let end = bytes.withUnsafeBytes { LogfmtParser.parse($0, at: base, into: &record) }
        try require(end == bytes.count, "it ended at \(end) of \(bytes.count)")
        try check(record)
    }

    /// The first byte says where the text is divided, and the format.
    static func runtimeLog(_ bytes: [UInt8]) throws {
        let formats = RecordFormat.allCases
        let format = formats[Int(bytes.first ?? 0) % formats.count]
        let text = Array(bytes.dropFirst())
        let whole = try decode(text, format, dividedAt: text.count)
        let divided = try decode(text, format, dividedAt: Int(bytes.first ?? 0) % (text.count + 1))
        try require(whole == divided, "\(format): the records depend on where the text is divided")
    }

    private static func decode(_ text: [UInt8], _ format: RecordFormat, dividedAt offset: Int) throws -> [[UInt8]] {
        var decoder = RecordDecoder(format)
        var lines: [[UInt8]] = []
        var violation: (any Error)?
        func add(_ record: inout RecordBuffer, _ location: RecordDecoder.Location) {
            do {
                try check(record)
                try require(location.end <= UInt64(text.count), "a record ends after the text")
            } catch {
                violation = error
            }
            var line: [UInt8] = []
            record.appendJSON(to: &line)
            lines.append(line)
        }
        for part in [text[..<offset], text[offset...]] {
            Array(part).withUnsafeBytes { decoder.add($0, readAt: Timestamp(microseconds: 0), add) }
        }
        decoder.finish(add)
        if let violation {
            throw violation
        }
        return lines
    }

    private static func check(_ record: RecordBuffer) throws {
        var line: [UInt8] = []
        record.appendJSON(to: &line)
        try require(
            line.withUnsafeBytes { JSONScanner.isObject($0) },
            "\(String(decoding: line, as: UTF8.self)) is no object"
        )
        let hazards = String(decoding: line, as: UTF8.self).unicodeScalars.filter(\.isTerminalHazard)
        try require(hazards.isEmpty, "the line has U+\(hazards.map(\.value))")
    }

    /// The first byte says where the log is divided.
    static func iolog(_ bytes: [UInt8]) throws {
        let log = Array(bytes.dropFirst())
        let offset = Int(bytes.first ?? 0) % (log.count + 1)
        var decoder = IOLogDecoder()
        let items = decoder.add(log[..<offset]) + decoder.add(log[offset...]) + decoder.finish()
        let count = items.reduce(0) { sum, item in
            switch item {
            case .entry(_, let message, _): sum + IOLogHeader.length + message.count
            case .damage(let bytes): sum + bytes.count
            }
        }
        try require(count == log.count, "\(count) of \(log.count) bytes were returned")
    }
}
