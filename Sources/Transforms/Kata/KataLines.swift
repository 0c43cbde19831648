// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// Puts records of a Kata log together that were written over several lines: with a line feed inside a value, or
/// divided by the guest's kernel.
///
/// A line continues the record before it when it does not begin like a record, and the record is not complete: a quote
/// is open, or its level or message is missing. A kernel's line between the two is a record of its own.
struct KataLines: Sendable {
    /// A text to be parsed, and where it began.
    struct Text: Equatable, Sendable {
        var bytes: [UInt8]
        var start: UInt64
        /// The number of its first line.
        var line: Int
    }

    private var held: Text?
    /// The number of lines that it has.
    private var heldLines = 0
    /// The limits of a record over several lines, in bytes and in lines: with each line all of it is looked at.
    private static let limit = 64 << 10
    private static let lineLimit = 256

    init() {}

    /// Where the text that is held back begins.
    var start: UInt64? { held?.start }

    /// Whether a line without its end is a text of its own: nothing is held back, and it is complete. Most lines are.
    func isWhole(_ line: UnsafeRawBufferPointer) -> Bool {
        held == nil && !Self.mayContinue(line)
    }

    /// Takes a line without its end; returns the texts that are complete before it.
    mutating func add(_ line: UnsafeRawBufferPointer, at start: UInt64, number: Int) -> [Text] {
        let new = Text(bytes: Array(line), start: start, line: number)
        guard var held else {
            guard Self.mayContinue(line) else {
                return [new]
            }
            self.held = new
            heldLines = 1
            return []
        }
        if Self.isKernelText(line), !Self.beginsRecord(line) {
            return [new]
        }
        guard !Self.beginsRecord(line), held.bytes.count + line.count < Self.limit, heldLines < Self.lineLimit else {
            self.held = nil
            return [held] + add(line, at: start, number: number)
        }
        self.held = nil
        if let (record, kernel) = Self.withoutKernel(held.bytes, new.bytes) {
            return [
                Text(bytes: record, start: held.start, line: held.line),
                Text(bytes: kernel, start: held.start, line: held.line),
            ]
        }
        // A value with a line feed goes on in the next line; a record cut anywhere else is put together as it was.
        held.bytes += (held.bytes.withUnsafeBytes(Self.hasOpenQuote) ? [Lines.feed] : []) + new.bytes
        if held.bytes.withUnsafeBytes(Self.mayContinue) {
            self.held = held
            heldLines += 1
            return []
        }
        return [held]
    }

    /// The text that was held back, at the end.
    mutating func finish() -> Text? {
        defer { held = nil }
        return held
    }

    /// A record that a kernel's line divides, put together, and that line; nil when they are not that.
    private static func withoutKernel(_ text: [UInt8], _ rest: [UInt8]) -> (record: [UInt8], kernel: [UInt8])? {
        guard let stamp = text.withUnsafeBytes({ KernelStamp.first(in: $0) }), stamp > 0 else {
            return nil
        }
        let record = Array(text[..<stamp] + rest)
        return record.withUnsafeBytes(mayContinue) ? nil : (record, Array(text[stamp...]))
    }

    private static func beginsRecord(_ line: UnsafeRawBufferPointer) -> Bool {
        line.starts(with: "time=".utf8) || line.first == UInt8(ascii: "{") || line.starts(with: "level=".utf8)
    }

    private static func isKernelText(_ line: UnsafeRawBufferPointer) -> Bool {
        guard line.first == UInt8(ascii: "[") else {
            return false
        }
        if case .stamp = KernelStamp.match(line, at: 0) {
            return true
        }
        return false
    }

    /// Whether a record in `text` is not complete.
    private static func mayContinue(_ text: UnsafeRawBufferPointer) -> Bool {
        if text.first == UInt8(ascii: "{") {
            return !JSONScanner.isObject(text) && !isClosedObject(text)
        }
        guard text.starts(with: "time=".utf8) else {
            return false
        }
        return hasOpenQuote(text) || text.firstOffset(of: " msg=") == nil
    }

    /// Whether an object in JSON is at the beginning, and something follows it.
    private static func isClosedObject(_ text: UnsafeRawBufferPointer) -> Bool {
        var scanner = JSONScanner(text)
        return scanner.skipValue() != nil
    }

    /// Whether the number of quotes without a backslash is odd.
    private static func hasOpenQuote(_ text: UnsafeRawBufferPointer) -> Bool {
        var isOpen = false
        var offset = 0
        while let quote = text.firstOffset(of: UInt8(ascii: "\""), from: offset) {
            var escapes = quote
            while escapes > 0, text[escapes - 1] == UInt8(ascii: "\\") {
                escapes -= 1
            }
            isOpen = isOpen != (quote - escapes).isMultiple(of: 2)
            offset = quote + 1
        }
        return isOpen
    }
}
