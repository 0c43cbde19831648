// SPDX-License-Identifier: Apache-2.0

public import TextFormats

extension RecordBuffer {
    /// Takes the record's time from the fields in which `journalctl -o json` writes it, and removes the addresses
    /// (systemd.journal-fields(7), "Address Fields"), which are no part of the entry.
    public mutating func takeJournalTime() {
        for name in ["_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"] where time == nil {
            if let digits = value(of: Array(name.utf8)), let value = Int64(String(decoding: digits, as: UTF8.self)),
                value < Int64.max / 1000
            {
                time = value * 1000
            }
        }
        fields.removeAll { [self] field in self[field.name].starts(with: "__".utf8) }
    }
}
