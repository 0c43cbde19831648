// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

extension UnsafeRawBufferPointer {
    /// Whether both have the same bytes: `elementsEqual` without its call per byte.
    func hasSameBytes(as other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count, let base = baseAddress, let otherBase = other.baseAddress else {
            return count == other.count
        }
        return memcmp(base, otherBase, count) == 0
    }

    /// The offset of the first `byte` at or after `start`.
    public func firstOffset(of byte: UInt8, from start: Int) -> Int? {
        baseAddress.flatMap { base in
            memchr(base + start, Int32(byte), count - start).map { UnsafeRawPointer($0) - base }
        }
    }

    /// The offset of the first occurrence of `word`, which is not empty. The standard library's `firstRange(of:)` is not
    /// specialized for bytes: it takes a hundred times as long.
    public func firstOffset(of word: StaticString) -> Int? {
        firstOffset(of: UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount), from: 0)
    }

    /// The offset of the first occurrence of `word`, which is not empty, at or after `start`.
    func firstOffset(of word: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard let base = baseAddress, let first = word.baseAddress, !word.isEmpty else {
            return nil
        }
        var offset = start
        while count - offset >= word.count,
            let found = memchr(base + offset, Int32(word[0]), count - offset - word.count + 1)
        {
            if memcmp(found, first, word.count) == 0 {
                return UnsafeRawPointer(found) - base
            }
            offset = UnsafeRawPointer(found) - base + 1
        }
        return nil
    }
}

extension Array<UInt8> {
    /// The index of the first occurrence of `word`, which is not empty.
    func firstIndex(of word: StaticString) -> Int? {
        withUnsafeBytes { $0.firstOffset(of: word) }
    }
}

extension ArraySlice<UInt8> {
    /// The index of the first occurrence of `word`, which is not empty.
    public func firstIndex(of word: StaticString) -> Int? {
        withUnsafeBytes { $0.firstOffset(of: word) }.map { startIndex + $0 }
    }
}
