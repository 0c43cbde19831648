// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// Repairs records into which the guest's kernel wrote: both share one console, and its text begins with a time stamp.
enum KataRecovery {
    /// Divides the damaged value of a marked record where a kernel's text begins: what follows is kept as unparsed.
    static func apply(to record: inout RecordBuffer, from first: Int) {
        guard record.firstIndex(of: ParseFault.faultName, from: first) != nil else {
            return
        }
        recoverMember(of: &record, from: first)
        for index in record.fields.indices.suffix(from: first) where record.fields[index].form == .text {
            let field = record.fields[index]
            guard !record.matches(field.name, ParseFault.unparsedName),
                let stamp = record.bytes.withUnsafeBytes({
                    KernelStamp.first(in: UnsafeRawBufferPointer(rebasing: $0[field.value]))
                }), stamp > 0
            else {
                continue
            }
            let start = field.value.lowerBound + stamp
            record.fields[index].value = field.value.lowerBound..<start
            setFault(.interrupted, of: &record, from: first)
            let name = record.store(ParseFault.unparsedName)
            record.fields.append(RecordBuffer.Field(name: name, value: start..<field.value.upperBound, form: .text))
            return
        }
    }

    /// Adds the member of an object in JSON that was being written when the record was cut off: its name and what there
    /// is of its text, which stays in the unparsed text too.
    private static func recoverMember(of record: inout RecordBuffer, from first: Int) {
        guard let index = record.firstIndex(of: ParseFault.unparsedName, from: first) else {
            return
        }
        let rest = Array(record[record.fields[index].value])
        let found = rest.withUnsafeBytes { rest -> (name: [UInt8], text: [UInt8])? in
            var scanner = JSONScanner(rest)
            _ = scanner.take(UInt8(ascii: ","))
            scanner.skipSpace()
            let start = scanner.offset
            guard scanner.skipString() != nil else {
                return nil
            }
            let name = Array(rest[start + 1..<scanner.offset - 1])
            scanner.skipSpace()
            guard scanner.take(UInt8(ascii: ":")), scanner.take(UInt8(ascii: "\"")) else {
                return nil
            }
            return (name, GoEscape.decode(UnsafeRawBufferPointer(rebasing: rest[scanner.offset...])))
        }
        if let found {
            record.append(found.name, found.text)
        }
    }

    private static func setFault(_ fault: ParseFault, of record: inout RecordBuffer, from first: Int) {
        if let index = record.firstIndex(of: ParseFault.faultName, from: first) {
            record.fields[index].value = record.store(fault.rawValue.utf8)
        }
    }
}
