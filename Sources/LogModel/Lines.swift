// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// Line ends: pure functions over bytes.
///
/// A line ends at LF, which belongs to the line. Nothing else ends a line: a serial console's CR is part of the line,
/// and Swift's `String` is not used, because it treats CR LF as a single character.
public enum Lines {
    /// Line feed, the only byte that ends a line.
    public static let feed = UInt8(ascii: "\n")

    @inlinable
    public static func firstFeed(in bytes: UnsafeRawBufferPointer, from start: Int = 0) -> Int? {
        guard let base = bytes.baseAddress, start < bytes.count,
            let hit = memchr(base + start, Int32(feed), bytes.count - start)
        else {
            return nil
        }
        return UnsafeRawPointer(hit) - base
    }
}
