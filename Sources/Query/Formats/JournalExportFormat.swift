// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TextFormats

/// systemd's Journal Export Format (systemd.io/JOURNAL_EXPORT_FORMATS), the input of `systemd-journal-remote`.
///
/// A field is `NAME=value\n`, or, for a value with bytes that a line cannot hold, `NAME\n`, its length as 64 bits
/// little-endian, the bytes, `\n`. An empty line ends the entry.
struct JournalExportFormat: EntryWriter {
    mutating func append(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8]) {
        Self.append("__REALTIME_TIMESTAMP", String(max(0, line.time.microseconds)), to: &out)
        let content = line.content
        if let severity = Severity(consoleLine: content) {
            Self.append("PRIORITY", String(severity.rawValue), to: &out)
        }
        out.append(contentsOf: label.export)
        Self.append("GUESTLOG_OFFSET", line.start.description, to: &out)
        if !line.isWhole {
            Self.append("GUESTLOG_PARTIAL", "1", to: &out)
        }
        Self.append("MESSAGE", content, to: &out)
        out.append(Lines.feed)
    }

    /// The fields that identify the stream.
    static func streamFields(vm: String, folder: String, uuid: String?, stream: StreamName) -> [UInt8] {
        var out: [UInt8] = []
        // The journal groups the entries of one boot by this field; guests do not reveal their boot id, so it
        // identifies the VM.
        append("_BOOT_ID", identifier(folder + "/boot"), to: &out)
        append("_MACHINE_ID", uuid.map { $0.filter { $0 != "-" } } ?? identifier(folder), to: &out)
        append("_HOSTNAME", vm, to: &out)
        append("SYSLOG_IDENTIFIER", stream.text, to: &out)
        append("GUESTLOG_VM", folder, to: &out)
        append("GUESTLOG_STREAM", stream.text, to: &out)
        return out
    }

    /// A stable 128-bit hash of `text` (FNV-1a twice), in the journal's notation.
    private static func identifier(_ text: String) -> String {
        func hash(_ seed: UInt64) -> String {
            let digits = String(text.stableHash(seed: seed), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return hash(0xcbf2_9ce4_8422_2325) + hash(0x8422_2325_cbf2_9ce4)
    }

    private static func append(_ name: StaticString, _ value: String, to out: inout [UInt8]) {
        value.withUTF8Bytes { append(name, $0, to: &out) }
    }

    private static func append(_ name: StaticString, _ value: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        name.withUTF8Buffer { out.append(contentsOf: $0) }
        if value.allSatisfy({ $0 == 0x09 || (0x20..<0x7f).contains($0) }) {
            out.append(UInt8(ascii: "="))
        } else {
            out.append(Lines.feed)
            withUnsafeBytes(of: UInt64(value.count).littleEndian) { out.append(contentsOf: $0) }
        }
        out.append(contentsOf: value)
        out.append(Lines.feed)
    }
}
