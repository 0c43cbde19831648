// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// Parses the text of one field into fields, as Fluentd's `filter_parser` does.
public struct ParserFilter: Hashable, Sendable {
    /// The field with the text.
    public var key: [UInt8]
    public var format: RecordFormat
    /// Whether the other fields stay. Parsed ones take the place of those with their names.
    public var reservesData = false
    /// Whether the record keeps its time instead of the parsed one.
    public var reservesTime = false
    /// Whether the field `timeKey` stays.
    public var keepsTimeKey = false
    /// The field with the record's time.
    public var timeKey = Array("time".utf8)
    /// What is put before the names of parsed fields.
    public var prefix: [UInt8] = []
    /// Whether the field with the text goes when all of it was parsed.
    public var removesKey = false
    /// Whether members of objects in JSON become fields, their names joined with points.
    public var flattens = false

    public init(key: String, format: RecordFormat) {
        self.key = Array(key.utf8)
        self.format = format
    }

    /// Passes what the record becomes to `emit`: itself when it has no such field, several when its text has several.
    /// It was read at `now`.
    func apply(to record: inout RecordBuffer, readAt now: Timestamp, emit: (inout RecordBuffer) -> Void) {
        guard let index = record.firstIndex(of: key) else {
            return emit(&record)
        }
        let range = record.fields[index].value
        let isUntrusted = record.fields[index].isUntrusted
        let text = Array(record[range])
        if format == .kata, KataNative.isNative(record) {
            parse(text, isUntrusted, &record) { text, record in
                KataNative.parse(text, at: range.lowerBound, into: &record)
            }
            return emit(&record)
        }
        var records = TextRecords(format, flattens: flattens, readAt: now)
        let original = record
        while true {
            var isLast = true
            parse(text, isUntrusted, &record) { text, record in
                isLast = records.parseNext(of: text, at: range.lowerBound, into: &record)
            }
            emit(&record)
            guard !isLast else {
                return
            }
            record = original
        }
    }

    private func parse(
        _ text: [UInt8],
        _ isUntrusted: Bool,
        _ record: inout RecordBuffer,
        _ body: (UnsafeRawBufferPointer, inout RecordBuffer) -> Void
    ) {
        let first = record.fields.count
        let ownTime = record.time
        record.time = nil
        text.withUnsafeBytes { body($0, &record) }
        let isMarked = record.fields[first...].contains { record.matches($0.name, ParseFault.faultName) }
        record.setTime([timeKey], from: first, keepsField: keepsTimeKey)
        if isUntrusted {
            record.distrust(from: first)
        }
        if reservesTime || record.time == nil {
            record.time = ownTime
        }
        if !prefix.isEmpty {
            addPrefix(to: &record, from: first)
        }
        removeOld(of: &record, before: first, isMarked: isMarked)
    }

    private func addPrefix(to record: inout RecordBuffer, from first: Int) {
        for index in record.fields.indices.suffix(from: first)
        where !record[record.fields[index].name].starts(with: "GUESTLOG_".utf8) {
            let name = record.fields[index].name
            record.fields[index].name = record.store(prefix, copyOf: name)
        }
    }

    /// Removes fields that were there before and do not stay. The text stays when it was not parsed completely.
    private func removeOld(of record: inout RecordBuffer, before first: Int, isMarked: Bool) {
        let new = record.fields[first...]
        // Of many names each is not compared with each other.
        let names = new.count > 64 ? Set(new.map { record[$0.name] }) : nil
        var kept: [RecordBuffer.Field] = []
        for field in record.fields[..<first] {
            let isText = record.matches(field.name, key)
            let isReplaced =
                names?.contains(record[field.name])
                ?? new.contains { $0.name.count == field.name.count && record[$0.name] == record[field.name] }
            let stays = isText ? (isMarked || reservesData && !removesKey) : reservesData
            if stays, !isReplaced {
                kept.append(field)
            }
        }
        record.fields.replaceSubrange(..<first, with: kept)
    }
}
