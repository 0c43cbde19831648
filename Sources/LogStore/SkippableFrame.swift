// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel

/// zstd's skippable frames (RFC 8878, section 3.1.2): `magic u32 · size u32 · payload`; decoders skip them.
enum SkippableFrame {
    /// For block headers and segment indexes.
    static let magic: UInt32 = 0x184D_2A5C
    /// For the seek table, as in the zstd seekable format.
    static let seekTableMagic: UInt32 = 0x184D_2A5E
    static let headerSize = 8

    /// Appends a frame whose payload is `tag`, a checksum, and what `body` appends.
    static func append(tag: UInt32, to out: inout [UInt8], _ body: (inout [UInt8]) -> Void) {
        let start = out.count
        out.append(littleEndian: magic)
        out.append(littleEndian: UInt32(0))
        out.append(littleEndian: tag)
        out.append(littleEndian: UInt32(0))
        body(&out)
        let payload = out.count - start - headerSize
        let checksum = out.withUnsafeBytes { bytes in
            gl_crc32c(0, bytes.baseAddress! + start + headerSize + 8, payload - 8)
        }
        out.withUnsafeMutableBytes { bytes in
            bytes.storeLittleEndian(UInt32(payload), at: start + 4)
            bytes.storeLittleEndian(checksum, at: start + headerSize + 4)
        }
    }

    /// What follows tag and checksum in `payload`, when both are valid.
    static func body(of payload: UnsafeRawBufferPointer, tag: UInt32) -> UnsafeRawBufferPointer? {
        guard payload.count >= 8, payload.littleEndian(at: 0) as UInt32 == tag else {
            return nil
        }
        let body = UnsafeRawBufferPointer(rebasing: payload[8...])
        guard payload.littleEndian(at: 4) as UInt32 == gl_crc32c(0, body.baseAddress, body.count) else {
            return nil
        }
        return body
    }
}

extension UInt32 {
    /// Four ASCII bytes as an integer that has them in little-endian order.
    init(littleEndianBytes text: StaticString) {
        self = text.withUTF8Buffer { bytes in
            UInt32(bytes[..<4].littleEndian)
        }
    }
}
