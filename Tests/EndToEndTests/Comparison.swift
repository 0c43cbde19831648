// SPDX-License-Identifier: Apache-2.0

/// The first difference between two texts, shortened; nil when they are equal.
func difference(_ left: [UInt8], _ right: [UInt8]) -> String? {
    guard left != right else {
        return nil
    }
    let common = zip(left, right).prefix { $0 == $1 }.count
    func around(_ bytes: [UInt8]) -> String {
        String(decoding: bytes[max(0, common - 40)..<min(bytes.count, common + 40)], as: UTF8.self).debugDescription
    }
    return "\(left.count) and \(right.count) bytes; they part at \(common): \(around(left)), \(around(right))"
}

/// The difference between `bytes` and a guest's output, in words; nil when they are equal.
///
/// `record` is QEMU's record of a serial port. QEMU records a byte again each time its reader had no room for it, so a
/// repeated byte there may be one. The end may be missing where `isPrefix` is true.
func difference(_ bytes: [UInt8], fromRecord record: [UInt8], isPrefix: Bool = false) -> String? {
    var offset = 0
    for (index, byte) in bytes.enumerated() {
        while offset < record.count, record[offset] != byte, offset > 0, record[offset] == record[offset - 1] {
            offset += 1
        }
        guard offset < record.count, record[offset] == byte else {
            let rest = difference(Array(bytes[index...]), Array(record[offset...]))
            return "at \(index) of \(bytes.count): \(rest ?? "")"
        }
        offset += 1
    }
    while offset < record.count, offset > 0, record[offset] == record[offset - 1] {
        offset += 1
    }
    return offset == record.count || isPrefix ? nil : "\(record.count - offset) bytes are missing at the end"
}
