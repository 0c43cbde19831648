// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The writing of logfmt, `key=value` pairs.
public enum LogfmtText {
    /// Appends a name as a key: without characters that end one.
    public static func append(key name: [UInt8], to out: inout [UInt8]) {
        out.append(contentsOf: name.lazy.map { isPlain($0) ? $0 : UInt8(ascii: "_") })
    }

    /// Appends `bytes` as a value, quoted where necessary, with JSON's escapes; returns whether some of it was not UTF-8.
    @discardableResult
    public static func append(value bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) -> Bool {
        guard !bytes.isEmpty, bytes.allSatisfy(isPlain) else {
            return JSONText.append(bytes, to: &out)
        }
        out.append(contentsOf: bytes)
        return false
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x21..<0x7f).contains(byte) && byte != 0x22 && byte != 0x3d && byte != 0x5c
    }
}
