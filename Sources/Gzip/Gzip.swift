// SPDX-License-Identifier: Apache-2.0

import CZlib

/// The gzip format (RFC 1952), in memory.
public enum Gzip {
    /// Why bytes cannot be decompressed.
    public enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
        /// They are not gzip, or damaged, or incomplete.
        case malformed
        /// They decompress to more than the limit, in bytes.
        case tooLarge(limit: Int)
        /// zlib could not get memory.
        case outOfMemory

        public var description: String {
            switch self {
            case .malformed: "the data are not gzip, or damaged"
            case .tooLarge(let limit): "the data decompress to more than \(limit) bytes"
            case .outOfMemory: "there is no memory for zlib"
            }
        }
    }

    /// The window of 32 KiB, with gzip's header and trailer.
    private static let windowBits = MAX_WBITS + 16
    /// What is decompressed at a time.
    private static let step = 64 << 10

    /// The compressed form of `bytes`, one member. `level` is zlib's, 1 the fastest.
    static func compress(_ bytes: UnsafeRawBufferPointer, level: Int32 = 1) throws(Failure) -> [UInt8] {
        var stream = z_stream()
        let size = Int32(MemoryLayout<z_stream>.size)
        guard
            deflateInit2_(&stream, level, Z_DEFLATED, windowBits, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
                == Z_OK
        else {
            throw .outOfMemory
        }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, uLong(bytes.count)))
        var result = Z_OK
        let compressed = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            stream.next_in = Self.input(bytes)
            stream.avail_in = uInt(bytes.count)
            stream.next_out = buffer.baseAddress
            stream.avail_out = uInt(buffer.count)
            result = deflate(&stream, Z_FINISH)
            count = buffer.count - Int(stream.avail_out)
        }
        guard result == Z_STREAM_END else {
            throw .outOfMemory
        }
        return compressed
    }

    /// The same for an array.
    public static func compress(_ bytes: [UInt8], level: Int32 = 1) throws(Failure) -> [UInt8] {
        try bytes.span.withUnsafeBytes { buffer throws(Failure) in try compress(buffer, level: level) }
    }

    /// The text of `bytes`, which are one or more members one after the other (RFC 1952, section 2.2), at most `limit`
    /// bytes in all. Memory is used for what was decompressed only, never for what a header claims.
    static func decompress(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(Failure) -> [UInt8] {
        var stream = z_stream()
        let size = Int32(MemoryLayout<z_stream>.size)
        guard inflateInit2_(&stream, windowBits, ZLIB_VERSION, size) == Z_OK else {
            throw .outOfMemory
        }
        defer { inflateEnd(&stream) }
        stream.next_in = input(bytes)
        stream.avail_in = uInt(bytes.count)
        var text: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: step)
        while true {
            let result = piece.withUnsafeMutableBufferPointer { buffer in
                stream.next_out = buffer.baseAddress
                stream.avail_out = uInt(buffer.count)
                return inflate(&stream, Z_NO_FLUSH)
            }
            let count = step - Int(stream.avail_out)
            guard text.count + count <= limit else {
                throw .tooLarge(limit: limit)
            }
            text.append(contentsOf: piece[..<count])
            switch result {
            case Z_STREAM_END where stream.avail_in == 0:
                return text
            case Z_STREAM_END:
                guard inflateReset(&stream) == Z_OK else {
                    throw .malformed
                }
            case Z_OK where count > 0 || stream.avail_in > 0:
                continue
            case Z_MEM_ERROR:
                throw .outOfMemory
            default:
                throw .malformed
            }
        }
    }

    /// The same for an array.
    public static func decompress(_ bytes: [UInt8], limit: Int) throws(Failure) -> [UInt8] {
        try bytes.span.withUnsafeBytes { buffer throws(Failure) in try decompress(buffer, limit: limit) }
    }

    /// zlib declares its input as changeable, and does not change it.
    private static func input(_ bytes: UnsafeRawBufferPointer) -> UnsafeMutablePointer<UInt8>? {
        UnsafeMutablePointer(mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
    }
}
