// SPDX-License-Identifier: Apache-2.0

import LogModel
public import TextFormats

// Entries as `journalctl -o json` writes them.
extension RecordBuffer {
    private static let entryTime: ConstantBytes = "__REALTIME_TIMESTAMP"

    /// Whether the fields from `first` on are those of an entry. What a guest says does not make it one.
    func isJournalEntry(from first: Int) -> Bool { firstTrustedIndex(of: Self.entryTime, from: first) != nil }

    /// The index of the first field `name` from `first` on that is not a guest's.
    func firstTrustedIndex(of name: ConstantBytes, from first: Int) -> Int? {
        fields.indices.suffix(from: first).first { !fields[$0].isUntrusted && matches(fields[$0].name, name) }
    }

    /// Makes bytes of the arrays of numbers that are values which are not UTF-8.
    public mutating func takeJournalBytes() {
        for index in fields.indices where fields[index].form == .literal {
            guard let elements = (try? JSON(parsing: self[fields[index].value]))?.elements, !elements.isEmpty else {
                continue
            }
            let bytes = elements.compactMap { element in
                if case .integer(let number) = element { UInt8(exactly: number) } else { nil }
            }
            if bytes.count == elements.count {
                fields[index].value = store(bytes)
                fields[index].form = .text
            }
        }
    }

    /// Takes the record's time from the fields with it, and removes the addresses
    /// (systemd.journal-fields(7), "Address Fields"), which are no part of the entry.
    public mutating func takeJournalTime() {
        for name in ["_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"] where time == nil {
            if let digits = value(of: Array(name.utf8)), let value = Int64(String(decoding: digits, as: UTF8.self)),
                (0..<Int64.max / 1000).contains(value)
            {
                time = value * 1000
            }
        }
        fields.removeAll { [self] field in self[field.name].starts(with: "__".utf8) }
    }
}
