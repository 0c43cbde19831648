// SPDX-License-Identifier: Apache-2.0

/// Bytes as the value of a logfmt pair, straight from memory.
public enum LogfmtText {
    /// Appends a field's name as a key: with `_` for characters that end one, and for a name without any.
    public static func append(key name: some Sequence<UInt8>, to out: inout [UInt8]) {
        let start = out.count
        for byte in name {
            let isKeyByte = (0x21..<0x7f).contains(byte) && byte != 0x22 && byte != 0x3d && byte != 0x5c
            out.append(isKeyByte ? byte : UInt8(ascii: "_"))
        }
        if out.count == start {
            out.append(UInt8(ascii: "_"))
        }
    }

    /// Appends `bytes` as a value, quoted where necessary, with JSON's escapes. What is not UTF-8 becomes U+FFFD; returns
    /// whether there was any.
    @discardableResult
    public static func append(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) -> Bool {
        let isPlain =
            !bytes.isEmpty
            && bytes.allSatisfy { (0x21..<0x7f).contains($0) && $0 != 0x22 && $0 != 0x3d && $0 != 0x5c }
        guard isPlain else {
            return JSONText.append(bytes, to: &out)
        }
        out.append(contentsOf: bytes)
        return false
    }
}
