#if canImport(Glibc)
    import Glibc
#endif

/// Where lines end: pure functions over bytes.
///
/// A line ends at LF; the LF belongs to the line. Nothing else ends one: a serial console's CR is part of the line,
/// and a Swift `String` is never involved, because it takes CR LF for a single character.
public enum Lines {
    /// Line feed, the only byte that ends a line.
    public static let feed = UInt8(ascii: "\n")

    /// The place of the first LF at or after `start`, or nil.
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
