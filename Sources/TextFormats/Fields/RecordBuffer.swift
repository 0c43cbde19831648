// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The fields of one record while it is parsed and transformed, all in one buffer that is used again for the next
/// record: nothing is allocated per field.
///
/// Fields keep their order. A field may occur several times. `StructuredRecord` is the form for reading stored records.
public struct RecordBuffer: Sendable {
    /// How a value is stored and written.
    public enum Form: UInt8, Sendable {
        /// Any bytes: a string, or an array of numbers when they are not UTF-8.
        case text
        /// Text of printable ASCII without quotes and backslashes.
        case plain
        /// A JSON value that is no string, by its text, which is valid.
        case literal
    }

    public struct Field: Sendable {
        /// Ranges of the buffer.
        public var name: Range<Int>
        public var value: Range<Int>
        public var form: Form
        /// Whether text inside the record gave the field its name and value, such as what a guest printed: it does not
        /// name the record's VM.
        public var isUntrusted = false

        public init(name: Range<Int>, value: Range<Int>, form: Form) {
            self.name = name
            self.value = value
            self.form = form
        }
    }

    /// The text that the fields are ranges of.
    public private(set) var bytes: [UInt8] = []
    public var fields: [Field] = []
    /// The record's own time, in nanoseconds since the Unix epoch.
    public var time: Int64?
    /// Whether a quote in the text that fields were parsed from has no end: what follows in that text may be from inside
    /// of it.
    public var hasOpenQuote = false

    public init() {}

    /// Makes it empty, for the next record.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        fields.removeAll(keepingCapacity: true)
        time = nil
        hasOpenQuote = false
    }

    // MARK: - Reading

    /// The bytes in a range.
    public subscript(range: Range<Int>) -> ArraySlice<UInt8> { bytes[range] }

    /// The first field of that name, at `first` or after it.
    public func firstIndex(of name: ConstantBytes, from first: Int = 0) -> Int? {
        firstIndex(of: name.bytes, from: first)
    }

    public func firstIndex(of name: [UInt8], from first: Int = 0) -> Int? {
        name.withUnsafeBytes { firstIndex(of: $0, from: first) }
    }

    private func firstIndex(of name: UnsafeRawBufferPointer, from first: Int) -> Int? {
        bytes.withUnsafeBytes { bytes in
            var index = first
            while index < fields.count {
                let range = fields[index].name
                if range.count == name.count,
                    UnsafeRawBufferPointer(rebasing: bytes[range]).hasSameBytes(as: name)
                {
                    return index
                }
                index += 1
            }
            return nil
        }
    }

    /// The value of the first field of that name.
    public func value(of name: ConstantBytes) -> ArraySlice<UInt8>? {
        firstIndex(of: name).map { bytes[fields[$0].value] }
    }

    public func value(of name: [UInt8]) -> ArraySlice<UInt8>? {
        firstIndex(of: name).map { bytes[fields[$0].value] }
    }

    /// Whether the bytes in `range` are `other`.
    public func matches(_ range: Range<Int>, _ other: ConstantBytes) -> Bool {
        matches(range, other.bytes)
    }

    public func matches(_ range: Range<Int>, _ other: [UInt8]) -> Bool {
        other.withUnsafeBytes { matches(range, $0) }
    }

    private func matches(_ range: Range<Int>, _ other: UnsafeRawBufferPointer) -> Bool {
        range.count == other.count
            && bytes.withUnsafeBytes { UnsafeRawBufferPointer(rebasing: $0[range]).hasSameBytes(as: other) }
    }

    // MARK: - Writing

    /// Adds bytes to the buffer; returns their range.
    public mutating func store(_ text: UnsafeRawBufferPointer) -> Range<Int> {
        let start = bytes.count
        bytes.append(contentsOf: text)
        return start..<bytes.count
    }

    public mutating func store(_ text: some Collection<UInt8>) -> Range<Int> {
        let start = bytes.count
        bytes.append(contentsOf: text)
        return start..<bytes.count
    }

    /// Adds `prefix` and a copy of the bytes in `range` to the buffer; returns their range.
    public mutating func store(_ prefix: [UInt8], copyOf range: Range<Int>) -> Range<Int> {
        let start = bytes.count
        bytes.append(contentsOf: prefix)
        // A slice would hold the buffer, and have it copied.
        for index in range {
            bytes.append(bytes[index])
        }
        return start..<bytes.count
    }

    /// Adds what `body` writes at the pointer that it is given, and that it advances by at most `count` bytes; returns
    /// where it is.
    mutating func store(
        atMost count: Int,
        _ body: (inout UnsafeMutablePointer<UInt8>) -> Void
    ) -> Range<Int> {
        let start = bytes.count
        bytes.append(atMost: count, body)
        return start..<bytes.count
    }

    /// Adds a field.
    public mutating func append(
        _ name: some Collection<UInt8>,
        _ value: some Collection<UInt8>,
        _ form: Form = .text
    ) {
        let name = store(name)
        fields.append(Field(name: name, value: store(value), form: form))
    }

    public mutating func append(_ name: String, _ value: String, _ form: Form = .text) {
        append(name.utf8, value.utf8, form)
    }

    /// Gives the field of that name, which is added if there is none, one value.
    public mutating func set(_ name: [UInt8], _ value: some Collection<UInt8>, _ form: Form = .text) {
        guard let index = firstIndex(of: name) else {
            append(name, value, form)
            return
        }
        fields[index].value = store(value)
        fields[index].form = form
        fields[index].isUntrusted = false
        remove(name, from: index + 1)
    }

    /// Marks the fields from `first` on as untrusted.
    public mutating func distrust(from first: Int) {
        for index in fields.indices.dropFirst(first) {
            fields[index].isUntrusted = true
        }
    }

    /// Removes all fields of that name, from the one at `first` on.
    public mutating func remove(_ name: [UInt8], from first: Int = 0) {
        var kept = first
        for index in fields.indices.dropFirst(first) where !matches(fields[index].name, name) {
            fields[kept] = fields[index]
            kept += 1
        }
        fields.removeSubrange(kept...)
    }
}
