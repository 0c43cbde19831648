// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The header of an entry in the framing of vSphere Integrated Containers (vmware/vic, lib/iolog): sixteen characters
/// of Base64, followed by the message.
///
/// Ten bytes: the time in nanoseconds since the Unix epoch (64 bits, little-endian), and 16 bits, little-endian: the
/// message's size in bits 15 to 4, the stream in bit 3, and three bits that are 0.
public struct IOLogHeader: Hashable, Sendable {
    /// In nanoseconds since the Unix epoch.
    public var time: Int64
    /// The message's size in bytes, at most `sizeLimit`.
    public var size: Int
    /// Whether it comes from standard error.
    public var isError: Bool

    /// Size of the header in the log, in bytes.
    public static let length = 16
    static let sizeLimit = 4095

    public init(time: Int64, size: Int, isError: Bool) {
        self.time = time
        self.size = size
        self.isError = isError
    }

    /// Decodes the header at `start`; nil when there is none.
    init?(_ bytes: UnsafeRawBufferPointer, at start: Int) {
        guard start + Self.length <= bytes.count, bytes[start + 15] == UInt8(ascii: "="),
            bytes[start + 14] == UInt8(ascii: "="), let decoded = Base64.decode(bytes[start..<start + Self.length]),
            decoded.count == 10
        else {
            return nil
        }
        let word = UInt16(decoded[8...].littleEndian)
        time = Int64(bitPattern: decoded[..<8].littleEndian)
        size = Int(word >> 4)
        isError = word & 8 != 0
        // Other spellings of the same bytes, and bits that nobody sets, are damage.
        guard word & 7 == 0, encoded.elementsEqual(bytes[start..<start + Self.length]) else {
            return nil
        }
    }

    /// The header's text.
    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: time)
        bytes.append(littleEndian: UInt16(size) << 4 | (isError ? 8 : 0))
        var out: [UInt8] = []
        bytes.withUnsafeBytes { Base64.append($0, to: &out) }
        return out
    }
}
