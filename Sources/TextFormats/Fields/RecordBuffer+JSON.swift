// SPDX-License-Identifier: Apache-2.0

import LogModel

// The canonical line of a record.
extension RecordBuffer {
    /// Appends the canonical line, without its end, as `StructuredRecord` describes it: the own time is the first
    /// member, several values of one field are an array, literals are written by their text. A literal that would be
    /// read as several values, or as bytes, is a string with its text.
    public func appendJSON(to out: inout [UInt8]) {
        let bound = fields.reduce(JSONText.bound(64)) { sum, field in
            sum + JSONText.bound(field.name.count) + JSONText.bound(field.value.count) + 4
        }
        out.append(atMost: bound) { pointer in
            var writer = RecordWriter(pointer: pointer)
            bytes.withUnsafeBytes { writer.write(self, $0) }
            pointer = writer.pointer
        }
    }
}

/// Writes a record's canonical line to memory with space for it.
private struct RecordWriter {
    var pointer: UnsafeMutablePointer<UInt8>

    mutating func write(_ record: RecordBuffer, _ bytes: UnsafeRawBufferPointer) {
        pointer.write("{")
        if let time = record.time {
            pointer.write("\"GUESTLOG_TIME\":\"")
            Timestamp.write(nanoseconds: time, to: &pointer)
            pointer.write("\"")
        }
        let repeats = Self.mayRepeat(record.fields, bytes) ? RepeatedNames(record.fields, bytes) : nil
        var isFirst = record.time == nil
        for index in record.fields.indices {
            let field = record.fields[index]
            if repeats?.isRepeat[index] == true || record.time != nil && Self.isTime(field, bytes) {
                continue
            }
            if !isFirst {
                pointer.write(",")
            }
            isFirst = false
            JSONText.write(UnsafeRawBufferPointer(rebasing: bytes[field.name]), to: &pointer)
            pointer.write(":")
            if let repeats, var next = repeats.next[index] {
                pointer.write("[")
                write(field, bytes, isOneOfSeveral: true)
                while true {
                    pointer.write(",")
                    write(record.fields[next], bytes, isOneOfSeveral: true)
                    guard let following = repeats.next[next] else {
                        break
                    }
                    next = following
                }
                pointer.write("]")
            } else {
                write(field, bytes)
            }
        }
        pointer.write("}")
    }

    /// Whether a field has the name of the record's own time.
    private static func isTime(_ field: RecordBuffer.Field, _ bytes: UnsafeRawBufferPointer) -> Bool {
        UnsafeRawBufferPointer(rebasing: bytes[field.name]).hasSameBytes(as: StructuredRecord.timeName.bytes)
    }

    private mutating func write(
        _ field: RecordBuffer.Field,
        _ bytes: UnsafeRawBufferPointer,
        isOneOfSeveral: Bool = false
    ) {
        let value = UnsafeRawBufferPointer(rebasing: bytes[field.value])
        switch field.form {
        case .plain:
            pointer.write("\"")
            pointer.write(value)
            pointer.write("\"")
        case .literal:
            if isOneOfSeveral || RecordParser.readsAsBytes(value) {
                JSONText.write(value, to: &pointer)
            } else {
                JSONText.write(json: value, to: &pointer)
            }
        case .text:
            let start = pointer
            if JSONText.write(value, to: &pointer) {
                pointer = start
                writeNumbers(value)
            }
        }
    }

    /// A value that is not UTF-8.
    private mutating func writeNumbers(_ value: UnsafeRawBufferPointer) {
        pointer.write("[")
        for (number, byte) in value.enumerated() {
            if number > 0 {
                pointer.write(",")
            }
            for digit in String(byte).utf8 {
                pointer.write(digit)
            }
        }
        pointer.write("]")
    }

    /// Of more fields than these, names are not compared with each other.
    private static let comparedCount = 64

    /// Whether two fields may have one name: false is certain. Names are told apart by their lengths and last bytes.
    private static func mayRepeat(_ fields: [RecordBuffer.Field], _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard fields.count <= comparedCount else {
            return true
        }
        var seen: UInt64 = 0
        for index in fields.indices {
            let name = fields[index].name
            guard let last = name.last else {
                continue
            }
            let key =
                UInt64(bytes[last]) &* 0x9e37_79b9 &+ UInt64(name.count) &* 0x85eb_ca6b
                &+ UInt64(bytes[name.lowerBound]) &* 0xc2b2_ae35
            let bit: UInt64 = 1 << (key >> 16 & 63)
            if seen & bit != 0, fields[..<index].contains(where: { haveOneName($0, fields[index], bytes) }) {
                return true
            }
            seen |= bit
        }
        return false
    }

    private static func haveOneName(
        _ left: RecordBuffer.Field,
        _ right: RecordBuffer.Field,
        _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        UnsafeRawBufferPointer(rebasing: bytes[left.name])
            .hasSameBytes(as: UnsafeRawBufferPointer(rebasing: bytes[right.name]))
    }
}

/// The fields of a record that have one name, found in a time that grows with their number only.
private struct RepeatedNames {
    /// For each field the next one with its name.
    var next: [Int?]
    /// For each field whether one before it has its name.
    var isRepeat: [Bool]

    private struct Name: Hashable {
        let bytes: UnsafeRawBufferPointer

        static func == (left: Name, right: Name) -> Bool {
            left.bytes.hasSameBytes(as: right.bytes)
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(bytes: bytes)
        }
    }

    init(_ fields: [RecordBuffer.Field], _ bytes: UnsafeRawBufferPointer) {
        next = Array(repeating: nil, count: fields.count)
        isRepeat = Array(repeating: false, count: fields.count)
        var latest: [Name: Int] = [:]
        latest.reserveCapacity(fields.count)
        for index in fields.indices {
            let name = Name(bytes: UnsafeRawBufferPointer(rebasing: bytes[fields[index].name]))
            if let before = latest.updateValue(index, forKey: name) {
                next[before] = index
                isRepeat[index] = true
            }
        }
    }
}
