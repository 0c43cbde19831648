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
        let decoded = DecodedLine(line)
        if let severity = decoded.severity {
            Self.append("PRIORITY", String(severity.rawValue), to: &out)
        }
        let hasProgram = decoded.record?.values(of: Array("SYSLOG_IDENTIFIER".utf8)).isEmpty == false
        out.append(contentsOf: hasProgram ? label.exportOfProgram : label.export)
        Self.append("GUESTLOG_OFFSET", line.start.description, to: &out)
        if !line.isWhole {
            Self.append("GUESTLOG_PARTIAL", "1", to: &out)
        }
        decoded.withStoredText { Self.append("MESSAGE", $0, to: &out) }
        for field in decoded.record?.otherFields.map(\.self) ?? [] {
            if let name = Self.fieldName(field.name) {
                for value in field.values {
                    value.withUnsafeBytes { Self.append(name, $0, to: &out) }
                }
            }
        }
        out.append(Lines.feed)
    }

    /// A record's field as a journal field: upper case, digits and `_`, at most 64 bytes, not beginning with a digit or
    /// `_`, which the journal reserves; nil when nothing is left, or it would change what identifies the stream.
    private static func fieldName(_ name: [UInt8]) -> [UInt8]? {
        let allowed = name.map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - 0x20
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
            default: UInt8(ascii: "_")
            }
        }
        let trimmed = allowed.drop { $0 == UInt8(ascii: "_") || (0x30...0x39).contains($0) }.prefix(64)
        let isReserved = trimmed.starts(with: "GUESTLOG_".utf8) || Self.written.contains(Array(trimmed))
        return trimmed.isEmpty || isReserved ? nil : Array(trimmed)
    }

    /// Fields that each entry has already.
    private static let written = ["MESSAGE", "PRIORITY"].map { Array($0.utf8) }

    /// The fields that identify the stream; it has the place of a program that does not name itself.
    static func streamFields(
        vm: String,
        folder: String,
        uuid: String?,
        stream: StreamName,
        hasProgram: Bool
    ) -> [UInt8] {
        var out: [UInt8] = []
        // The journal groups the entries of one boot by this field; guests do not reveal their boot id, so it
        // identifies the VM.
        append("_BOOT_ID", identifier(folder + "/boot"), to: &out)
        append("_MACHINE_ID", uuid.map { $0.filter { $0 != "-" } } ?? identifier(folder), to: &out)
        append("_HOSTNAME", vm, to: &out)
        if !hasProgram {
            append("SYSLOG_IDENTIFIER", stream.text, to: &out)
        }
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
        append(name.withUTF8Buffer { Array($0) }, value, to: &out)
    }

    private static func append(_ name: [UInt8], _ value: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        out.append(contentsOf: name)
        if value.allSatisfy({ $0 == 0x09 || (0x20..<0x7f).contains($0) }) {
            out.append(UInt8(ascii: "="))
        } else {
            out.append(Lines.feed)
            out.append(littleEndian: UInt64(value.count))
        }
        out.append(contentsOf: value)
        out.append(Lines.feed)
    }
}
