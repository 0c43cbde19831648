// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// Finds what is wrong with a record of a Kata log.
enum KataCheck {
    /// What is wrong with `record`, in words; empty when nothing is. With `allowsMissing`, required fields may be absent.
    static func problems(of record: RecordBuffer, allowsMissing: Bool = false) -> [String] {
        var problems: [String] = []
        if let fault = record.value(of: ParseFault.faultName) {
            problems.append(String(decoding: fault, as: UTF8.self))
        }
        if !allowsMissing {
            problems += missing(in: record)
        }
        problems += malformed(in: record)
        return problems
    }

    private static func missing(in record: RecordBuffer) -> [String] {
        var names = [KataFields.level, KataFields.source, KataFields.name, KataFields.process].filter {
            record.value(of: $0)?.isEmpty ?? true
        }
        // One that is there and cannot be read is a fault of its own.
        if record.time == nil, record.value(of: KataFields.time)?.isEmpty ?? true {
            names.insert(KataFields.time, at: 0)
        }
        return names.map { "\(String(decoding: $0, as: UTF8.self)) is missing" }
    }

    private static func malformed(in record: RecordBuffer) -> [String] {
        var problems: [String] = []
        var names: Set<ArraySlice<UInt8>> = []
        for field in record.fields {
            let name = record[field.name]
            let value = record[field.value]
            let text = String(decoding: name, as: UTF8.self)
            if name.elementsEqual(ParseFault.unparsedName) || name.elementsEqual(ParseFault.faultName) {
                continue
            }
            if !names.insert(name).inserted {
                problems.append("\(text) is there twice")
            }
            if name.allSatisfy({ $0 <= 0x20 }) || name.contains(where: { $0 < 0x20 || $0 == 0x7f }) {
                problems.append("a key is blank or has control characters")
            }
            if [KataFields.level, KataFields.source, KataFields.name].contains(where: { name.elementsEqual($0) }),
                value.contains(where: { $0 <= 0x20 })
            {
                problems.append("\(text) is more than one word")
            }
            if name.elementsEqual(KataFields.process), field.form != .literal || value.first == UInt8(ascii: "-") {
                problems.append("pid is not a process number")
            }
            if hasDebris(name) || hasDebris(value) {
                problems.append("\(text) has a formatting error of Go's")
            }
            if value.contains(where: { $0 < 0x20 && $0 != 0x09 && $0 != 0x0a && $0 != 0x0d || $0 == 0x7f }) {
                problems.append("\(text) has control characters")
            }
        }
        return problems
    }

    /// Whether it has what Go's package fmt writes for wrong arguments: `%!d(MISSING)`, `%!(EXTRA …`.
    private static func hasDebris(_ text: ArraySlice<UInt8>) -> Bool {
        var rest = text
        while let sign = rest.firstIndex(of: "%!") {
            rest = rest[(sign + 2)...]
            let end = rest.first == UInt8(ascii: "(") ? rest : rest.dropFirst()
            let words = ["(BADINDEX", "(BADPREC", "(BADWIDTH", "(EXTRA", "(MISSING", "(NOVERB"]
            if words.contains(where: { end.starts(with: $0.utf8) }) {
                return true
            }
        }
        return false
    }
}
