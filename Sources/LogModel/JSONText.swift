// SPDX-License-Identifier: Apache-2.0

/// Bytes as a JSON string, straight from memory.
public enum JSONText {
    /// Maximum number of bytes that `write` needs for a text of `count` bytes.
    public static func bound(_ count: Int) -> Int { 6 * count + 2 }

    /// Appends `bytes` as a JSON string. What is not UTF-8 becomes U+FFFD; returns whether there was any.
    ///
    /// Controls, and characters that reorder or hide text, are escaped: valid JSON that no terminal acts on.
    @discardableResult
    public static func append(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) -> Bool {
        out.append(atMost: bound(bytes.count)) { write(bytes, to: &$0) }
    }

    /// Appends `json`, which must be valid JSON, as it is written, but without white space between its parts, and with
    /// what a terminal would act on escaped.
    public static func append(json: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        out.append(atMost: bound(json.count)) { write(json: json, to: &$0) }
    }

    // MARK: - To memory

    /// Writes `bytes` as a JSON string at `pointer`, which it advances, and where there is space for `bound` bytes.
    /// Returns whether some was not UTF-8.
    @discardableResult
    public static func write(_ bytes: UnsafeRawBufferPointer, to pointer: inout UnsafeMutablePointer<UInt8>) -> Bool {
        pointer.write(UInt8(ascii: "\""))
        var isLossy = false
        var offset = 0
        while offset < bytes.count {
            let end = PlainText.end(in: bytes, from: offset, orAt: UInt8(ascii: "\""))
            pointer.write(UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
            offset = end
            if offset < bytes.count {
                isLossy = writeSpecial(bytes, &offset, to: &pointer) || isLossy
            }
        }
        pointer.write(UInt8(ascii: "\""))
        return isLossy
    }

    /// The same for `json`, which must be valid JSON.
    public static func write(json: UnsafeRawBufferPointer, to pointer: inout UnsafeMutablePointer<UInt8>) {
        var offset = 0
        var isInString = false
        while offset < json.count {
            let byte = json[offset]
            switch byte {
            case UInt8(ascii: "\""):
                isInString.toggle()
                pointer.write(byte)
                offset += 1
            case UInt8(ascii: "\\") where offset + 1 < json.count:
                pointer.write(UnsafeRawBufferPointer(rebasing: json[offset..<offset + 2]))
                offset += 2
            case 0x20 where !isInString, 0..<0x20 where !isInString:
                offset += 1
            case 0x20..<0x7f:
                pointer.write(byte)
                offset += 1
            default:
                _ = writeSpecial(json, &offset, to: &pointer)
            }
        }
    }

    /// Writes the character at `offset` that is not plain; returns whether it is not UTF-8.
    private static func writeSpecial(
        _ bytes: UnsafeRawBufferPointer,
        _ offset: inout Int,
        to pointer: inout UnsafeMutablePointer<UInt8>
    ) -> Bool {
        if bytes[offset] < 0x80 {
            writeEscape(bytes[offset], to: &pointer)
            offset += 1
            return false
        }
        var decoder = UTF8.ForwardParser()
        var rest = bytes[offset..<min(bytes.count, offset + 4)].makeIterator()
        switch decoder.parseScalar(from: &rest) {
        case .valid(let encoded):
            let scalar = UTF8.decode(encoded)
            if scalar.isTerminalHazard {
                for unit in UTF16.encode(scalar)! {
                    writeUnit(unit, to: &pointer)
                }
            } else {
                pointer.write(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + encoded.count]))
            }
            offset += encoded.count
            return false
        case .error(let length):
            pointer.write("\u{fffd}")
            offset += max(1, length)
            return true
        case .emptyInput:
            offset = bytes.count
            return false
        }
    }

    private static func writeEscape(_ byte: UInt8, to pointer: inout UnsafeMutablePointer<UInt8>) {
        switch byte {
        case 0x22, 0x5c: writeEscape(letter: byte, to: &pointer)
        case 0x09: writeEscape(letter: UInt8(ascii: "t"), to: &pointer)
        case 0x0a: writeEscape(letter: UInt8(ascii: "n"), to: &pointer)
        case 0x0d: writeEscape(letter: UInt8(ascii: "r"), to: &pointer)
        default: writeUnit(UInt16(byte), to: &pointer)
        }
    }

    private static func writeEscape(letter: UInt8, to pointer: inout UnsafeMutablePointer<UInt8>) {
        pointer.write(UInt8(ascii: "\\"))
        pointer.write(letter)
    }

    private static func writeUnit(_ unit: UInt16, to pointer: inout UnsafeMutablePointer<UInt8>) {
        writeEscape(letter: UInt8(ascii: "u"), to: &pointer)
        for shift in [12, 8, 4, 0] as [UInt16] {
            pointer.write(UInt8.digit(UInt8(truncatingIfNeeded: unit >> shift) & 15, from: UInt8(ascii: "a")))
        }
    }
}
