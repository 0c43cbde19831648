// SPDX-License-Identifier: Apache-2.0

// Writing to memory whose size the caller has checked.

extension UnsafeMutablePointer<UInt8> {
    /// Writes a byte, and advances past it.
    @inlinable @inline(__always)
    public mutating func write(_ byte: UInt8) {
        initialize(to: byte)
        self += 1
    }

    /// Writes `bytes`, and advances past them.
    @inlinable @inline(__always)
    public mutating func write(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else {
            return
        }
        UnsafeMutableRawPointer(self).copyMemory(from: base, byteCount: bytes.count)
        self += bytes.count
    }

    /// Writes the text, and advances past it.
    @inlinable @inline(__always)
    public mutating func write(_ text: StaticString) {
        write(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}

extension Array<UInt8> {
    /// Appends what `body` writes at the pointer that it is given, and that it advances by at most `count` bytes;
    /// returns its result.
    @inlinable @inline(__always)
    public mutating func append<Result>(
        atMost count: Int,
        _ body: (inout UnsafeMutablePointer<UInt8>) -> Result
    ) -> Result {
        var result: Result?
        // An empty buffer has no address.
        append(addingCapacity: Swift.max(count, 1)) { span in
            span.withUnsafeMutableBufferPointer { buffer, initialized in
                let start = buffer.baseAddress! + initialized
                var pointer = start
                result = body(&pointer)
                initialized += pointer - start
            }
        }
        return result!
    }
}
