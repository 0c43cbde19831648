// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel

/// Finds the frames of a stream that arrives in pieces.
///
/// On a stream whose frames may be cut, because programs come and go at its other end, what is no frame is skipped up to
/// the next magic bytes. On others it is an error. A frame within an incomplete one is looked for after `expire` only.
///
/// Memory: two frames and a piece. Work: each byte is searched twice at most, and checksummed `checksumFactor` times at
/// most on average, whatever the sender claims.
public struct FrameDecoder: Sendable {
    private let resynchronizes: Bool
    private var buffer: [UInt8] = []
    private var start = 0
    /// Where the search within the incomplete frame continues, and the incomplete frame that it found there.
    private var searched = 0
    private var candidate: Int?
    /// How many bytes may be checksummed now.
    private var credit = 0
    /// Bytes that were skipped because they are part of no valid frame.
    public private(set) var skipped = 0
    /// Bytes that were received, searched for magic bytes, and checksummed.
    private(set) var received = 0
    private(set) var scanned = 0
    private(set) var checksummed = 0

    /// How often a byte may be checksummed. A frame that was cut contains the whole ones that follow it: twice.
    static let checksumFactor = 4
    /// Enough for the longest frame, cut, and for another in it.
    private static let creditLimit = checksumFactor * (GuestFrame.limit + GuestFrame.headerSize)

    /// What begins at an offset of the buffer.
    private enum Content {
        case frame(payload: Range<Int>)
        /// More bytes are needed to know.
        case incomplete
        case noFrame(GuestChannelError)
    }

    /// A decoder that skips what is no frame if it `resynchronizes`.
    public init(resynchronizes: Bool) {
        self.resynchronizes = resynchronizes
    }

    /// Adds bytes of the stream.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        // Not at each call, so that no byte is moved often.
        if start > buffer.count / 2 {
            buffer.removeFirst(start)
            searched = max(0, searched - start)
            candidate = candidate.map { $0 - start }
            start = 0
        }
        buffer.append(contentsOf: bytes)
        received += bytes.count
        credit = min(credit + Self.checksumFactor * bytes.count, Self.creditLimit)
    }

    /// The payload of the next frame; nil when more bytes are needed.
    public mutating func next() throws(GuestChannelError) -> [UInt8]? {
        while true {
            switch content(at: start) {
            case .frame(let payload):
                start = payload.upperBound
                return Array(buffer[payload])
            case .incomplete:
                return nil
            case .noFrame(let error):
                guard resynchronizes else {
                    throw error
                }
                skip(to: nextMagic(from: start + 1))
            }
        }
    }

    /// The memory in use, in bytes.
    public var memory: Int { buffer.count }

    /// The number of bytes of a frame that is not complete.
    public var incomplete: Int { buffer.count - start }

    /// Says that the rest of the frame has not come for a while: its sender may have begun anew. Looks for a whole frame
    /// in what there is of it; returns whether `next` has one now. An incomplete frame in it is given the time until the
    /// next call.
    public mutating func expire() -> Bool {
        guard resynchronizes, start < buffer.count, case .incomplete = content(at: start) else {
            return false
        }
        var offset = nextMagic(from: max(searched, start + 1))
        while offset < buffer.count {
            switch content(at: offset) {
            case .frame:
                skip(to: offset)
                return true
            case .incomplete where candidate != offset:
                (searched, candidate) = (offset, offset)
                return false
            case .incomplete, .noFrame:
                offset = nextMagic(from: offset + 1)
            }
        }
        (searched, candidate) = (buffer.count, nil)
        return false
    }

    /// Whether another call of `expire` may find a frame, though no bytes have arrived.
    public var mayExpire: Bool { candidate != nil }

    private mutating func skip(to offset: Int) {
        skipped += offset - start
        start = offset
        if let candidate, candidate <= offset {
            self.candidate = nil
        }
    }

    /// The offset of the next magic bytes, or of as many of them as have arrived; the end when there are none.
    private mutating func nextMagic(from begin: Int) -> Int {
        var offset = begin
        while let zero = buffer[offset...].firstIndex(of: GuestFrame.magic[0]) {
            if GuestFrame.magic.starts(with: buffer[zero...].prefix(GuestFrame.magic.count)) {
                scanned += zero - begin
                return zero
            }
            offset = zero + 1
        }
        scanned += buffer.count - begin
        return buffer.count
    }

    private mutating func content(at offset: Int) -> Content {
        let head = buffer[offset...].prefix(GuestFrame.magic.count)
        guard GuestFrame.magic.starts(with: head) else {
            return .noFrame(.noFrame)
        }
        guard buffer.count - offset >= GuestFrame.headerSize else {
            return .incomplete
        }
        let size = Int(bigEndian(at: offset + 4))
        guard size <= GuestFrame.limit else {
            return .noFrame(.frameTooLong(size))
        }
        let payload = offset + GuestFrame.headerSize..<offset + GuestFrame.headerSize + size
        guard payload.upperBound <= buffer.count else {
            return .incomplete
        }
        // A sender that has no credit has sent many frames with wrong checksums.
        guard credit >= size, checksum(of: payload) == bigEndian(at: offset + 8) else {
            return .noFrame(.noFrame)
        }
        return .frame(payload: payload)
    }

    private mutating func checksum(of payload: Range<Int>) -> UInt32 {
        credit -= payload.count
        checksummed += payload.count
        return buffer[payload].withUnsafeBytes { gl_crc32c(0, $0.baseAddress, payload.count) }
    }

    private func bigEndian(at offset: Int) -> UInt32 {
        UInt32(buffer[offset..<offset + 4].bigEndian)
    }
}
