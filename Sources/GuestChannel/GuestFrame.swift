// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel

/// A frame: the magic bytes 00 47 4C 01 ("GL", and the version of the framing), the payload's size and its CRC-32C, both
/// 32-bit big-endian, and the payload.
public enum GuestFrame {
    /// No text protocol begins with a NUL byte, so one port can serve both.
    public static let magic: [UInt8] = [0x00, 0x47, 0x4c, 0x01]
    static let headerSize = 12
    /// Maximum size of a payload, in bytes.
    static let limit = 1 << 20

    /// Appends a frame with `payload` to `out`.
    public static func append(_ payload: [UInt8], to out: inout [UInt8]) {
        out.append(contentsOf: magic)
        out.append(bigEndian: UInt32(payload.count))
        out.append(bigEndian: gl_crc32c(0, payload, payload.count))
        out.append(contentsOf: payload)
    }
}
