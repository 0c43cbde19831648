// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// Entries of the journal as objects in JSON, with Kata's text in `MESSAGE`.
enum KataEntry {
    private static let message: ConstantBytes = "MESSAGE"

    /// Replaces the message of an entry, whose fields begin at `first`, by what it says. What else it has stays.
    static func unpack(_ record: inout RecordBuffer, from first: Int) {
        record.takeJournalBytes()
        guard let index = record.firstTrustedIndex(of: message, from: first) else {
            return
        }
        let range = record.fields.remove(at: index).value
        let text = Array(record[range])
        text.withUnsafeBytes { text in
            if KataNative.isNative(record) {
                KataNative.parse(text, at: range.lowerBound, into: &record)
                return
            }
            let end = KataParser.parseRecord(text, from: 0, at: range.lowerBound, into: &record)
            if let rest = text.indices.suffix(from: end).first(where: { text[$0] > 0x20 }) {
                record.mark(.manyRecords, unparsed: text[rest...])
            }
        }
    }
}
