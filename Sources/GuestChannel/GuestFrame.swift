// SPDX-License-Identifier: Apache-2.0

import CLinux

/// A frame: the magic bytes 00 47 4C 01 ("GL", and the version of the framing), the payload's size and its CRC-32C, both
/// 32-bit big-endian, and the payload.
public enum GuestFrame {
    /// No text protocol begins with a NUL byte, so one port can serve both.
    public static let magic: [UInt8] = [0x00, 0x47, 0x4c, 0x01]
    static let headerSize = 12
    /// Maximum size of a payload, in bytes.
    public static let limit = 1 << 20

    /// Appends a frame with `payload` to `out`.
    public static func append(_ payload: [UInt8], to out: inout [UInt8]) {
        out.append(contentsOf: magic)
        appendBigEndian(UInt32(payload.count), to: &out)
        appendBigEndian(gl_crc32c(0, payload, payload.count), to: &out)
        out.append(contentsOf: payload)
    }

    private static func appendBigEndian(_ value: UInt32, to out: inout [UInt8]) {
        for shift in [24, 16, 8, 0] as [UInt32] {
            out.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}

/// Finds the frames of a stream that arrives in pieces.
///
/// On a stream whose frames may be cut, because programs come and go at its other end, what is no frame is skipped up to
/// the next magic bytes. On others it is an error. Memory: one frame and one piece.
public struct FrameDecoder: Sendable {
    private let resynchronizes: Bool
    private var buffer: [UInt8] = []
    private var start = 0
    /// Bytes that were skipped because they are part of no valid frame.
    public private(set) var skipped = 0

    /// A decoder that skips what is no frame if it `resynchronizes`.
    public init(resynchronizes: Bool) {
        self.resynchronizes = resynchronizes
    }

    /// Adds bytes of the stream.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The payload of the next frame; nil when more bytes are needed.
    public mutating func next() throws(GuestChannelError) -> [UInt8]? {
        while true {
            try findMagic()
            guard buffer.count - start >= GuestFrame.headerSize else {
                return nil
            }
            let size = Int(bigEndian(at: start + 4))
            guard size <= GuestFrame.limit else {
                try skip(.frameTooLong(size))
                continue
            }
            let end = start + GuestFrame.headerSize + size
            guard buffer.count >= end else {
                guard resynchronizes, let next = completeFrame() else {
                    return nil
                }
                // The frame was cut: its sender has begun anew.
                skipped += next - start
                start = next
                continue
            }
            let payload = Array(buffer[(start + GuestFrame.headerSize)..<end])
            guard gl_crc32c(0, payload, payload.count) == bigEndian(at: start + 8) else {
                try skip(.noFrame)
                continue
            }
            start = end
            return payload
        }
    }

    /// Moves to the next magic bytes, or as many of them as have arrived.
    private mutating func findMagic() throws(GuestChannelError) {
        while start < buffer.count {
            let head = buffer[start...].prefix(GuestFrame.magic.count)
            if GuestFrame.magic.starts(with: head) {
                return
            }
            try skip(.noFrame)
        }
    }

    /// Skips to the next byte that may begin a frame; throws `error` on a stream that has to be whole.
    private mutating func skip(_ error: GuestChannelError) throws(GuestChannelError) {
        guard resynchronizes else {
            throw error
        }
        let next = buffer[(start + 1)...].firstIndex(of: GuestFrame.magic[0]) ?? buffer.count
        skipped += next - start
        start = next
    }

    /// Where a whole, valid frame begins within the one that has not arrived completely.
    private func completeFrame() -> Int? {
        var at = start + 1
        while let next = buffer[at...].firstIndex(of: GuestFrame.magic[0]) {
            at = next + 1
            guard buffer.count - next >= GuestFrame.headerSize, buffer[next...].starts(with: GuestFrame.magic) else {
                continue
            }
            let size = Int(bigEndian(at: next + 4))
            let first = next + GuestFrame.headerSize
            guard size <= buffer.count - first else {
                continue
            }
            let payload = Array(buffer[first..<first + size])
            if gl_crc32c(0, payload, payload.count) == bigEndian(at: next + 8) {
                return next
            }
        }
        return nil
    }

    private func bigEndian(at place: Int) -> UInt32 {
        buffer[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
