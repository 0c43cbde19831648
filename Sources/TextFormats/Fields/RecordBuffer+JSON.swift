// SPDX-License-Identifier: Apache-2.0

import LogModel

// The canonical line of a record.
extension RecordBuffer {
    /// Appends the canonical line, without its end, as `StructuredRecord` describes it: the own time is the first
    /// member, several values of one field are an array, literals are written by their text.
    public func appendJSON(to out: inout [UInt8]) {
        let bound = fields.reduce(JSONText.bound(64)) { sum, field in
            sum + JSONText.bound(field.name.count) + JSONText.bound(field.value.count) + 4
        }
        out.append(addingCapacity: bound) { span in
            span.withUnsafeMutableBufferPointer { buffer, initialized in
                let start = buffer.baseAddress! + initialized
                var writer = RecordWriter(place: start)
                bytes.withUnsafeBytes { writer.write(self, $0) }
                initialized += writer.place - start
            }
        }
    }
}

/// Writes a record's canonical line to memory with space for it.
private struct RecordWriter {
    var place: UnsafeMutablePointer<UInt8>

    mutating func write(_ record: RecordBuffer, _ bytes: UnsafeRawBufferPointer) {
        put("{")
        if let time = record.time {
            put("\"GUESTLOG_TIME\":\"")
            Timestamp.write(nanoseconds: time, to: &place)
            put("\"")
        }
        let hasRepeats = Self.mayRepeat(record.fields, bytes)
        var isFirst = record.time == nil
        for index in record.fields.indices {
            let field = record.fields[index]
            if hasRepeats, record.fields[..<index].contains(where: { Self.haveOneName($0, field, bytes) }) {
                continue
            }
            if !isFirst {
                put(",")
            }
            isFirst = false
            JSONText.write(UnsafeRawBufferPointer(rebasing: bytes[field.name]), to: &place)
            put(":")
            if hasRepeats {
                write(record.fields[index...].filter { Self.haveOneName($0, field, bytes) }, bytes)
            } else {
                write(field, bytes)
            }
        }
        put("}")
    }

    /// Several values of one field.
    private mutating func write(_ fields: [RecordBuffer.Field], _ bytes: UnsafeRawBufferPointer) {
        guard fields.count > 1 else {
            return write(fields[0], bytes)
        }
        put("[")
        for (number, field) in fields.enumerated() {
            if number > 0 {
                put(",")
            }
            write(field, bytes)
        }
        put("]")
    }

    private mutating func write(_ field: RecordBuffer.Field, _ bytes: UnsafeRawBufferPointer) {
        let value = UnsafeRawBufferPointer(rebasing: bytes[field.value])
        switch field.form {
        case .plain:
            put("\"")
            copy(value)
            put("\"")
        case .literal:
            JSONText.write(json: value, to: &place)
        case .text:
            let start = place
            if JSONText.write(value, to: &place) {
                place = start
                writeNumbers(value)
            }
        }
    }

    /// A value that is not UTF-8.
    private mutating func writeNumbers(_ value: UnsafeRawBufferPointer) {
        put("[")
        for (number, byte) in value.enumerated() {
            if number > 0 {
                put(",")
            }
            for digit in String(byte).utf8 {
                place.initialize(to: digit)
                place += 1
            }
        }
        put("]")
    }

    /// Whether two fields may have one name: false is certain. Names are told apart by their lengths and last bytes.
    private static func mayRepeat(_ fields: [RecordBuffer.Field], _ bytes: UnsafeRawBufferPointer) -> Bool {
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
        left.name.count == right.name.count && bytes[left.name].elementsEqual(bytes[right.name])
    }

    @inline(__always)
    private mutating func put(_ text: StaticString) {
        copy(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    @inline(__always)
    private mutating func copy(_ text: UnsafeRawBufferPointer) {
        if let base = text.baseAddress {
            UnsafeMutableRawPointer(place).copyMemory(from: base, byteCount: text.count)
            place += text.count
        }
    }
}
