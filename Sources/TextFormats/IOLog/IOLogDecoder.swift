// SPDX-License-Identifier: Apache-2.0

/// Reads entries from a log that may be received in any pieces, and may be damaged.
///
/// The framing has no checksum. A header is believed when it is well-formed and where the entry before it ends. Where
/// none is, the next offset is taken at which a header begins that is followed by another one, or by the end of what
/// was received; what is before that is returned as damage. A message that contains such an offset, and is not followed
/// by a header, ends there: its own header has a wrong size. So one damaged entry hides no other.
public struct IOLogDecoder: Sendable {
    public enum Item: Equatable, Sendable {
        /// An entry. `isCut`: the log ends inside its message.
        case entry(IOLogHeader, message: [UInt8], isCut: Bool)
        /// Bytes that belong to no entry.
        case damage([UInt8])
    }

    private var held: [UInt8] = []

    /// Of damage more is not held back.
    private static let searchLimit = 4 * (IOLogHeader.length + IOLogHeader.sizeLimit)

    public init() {}

    /// The number of bytes that were received and belong to an item that was not returned.
    var pendingCount: Int { held.count }

    /// Takes the next bytes; returns what they complete.
    public mutating func add(_ bytes: some Collection<UInt8>) -> [Item] {
        held.append(contentsOf: bytes)
        return decodeItems(isAtEnd: false)
    }

    /// Ends the log; returns the rest.
    public mutating func finish() -> [Item] { decodeItems(isAtEnd: true) }

    private mutating func decodeItems(isAtEnd: Bool) -> [Item] {
        var items: [Item] = []
        var offset = 0
        held.withUnsafeBytes { bytes in
            while offset < bytes.count, let (item, end) = Self.next(bytes, at: offset, isAtEnd: isAtEnd) {
                items.append(item)
                offset = end
            }
        }
        held.removeFirst(offset)
        return items
    }

    /// The item at `start`, and its end; nil when more bytes are needed.
    private static func next(_ bytes: UnsafeRawBufferPointer, at start: Int, isAtEnd: Bool) -> (Item, end: Int)? {
        guard let header = IOLogHeader(bytes, at: start) else {
            return damage(bytes, at: start, isAtEnd: isAtEnd)
        }
        let first = start + IOLogHeader.length
        let end = first + header.size
        let isFollowed = end + IOLogHeader.length > bytes.count || IOLogHeader(bytes, at: end) != nil
        if !isFollowed || end > bytes.count, let nearer = nextHeader(bytes, first..<min(end, bytes.count)) {
            return (.entry(header, message: Array(bytes[first..<nearer]), isCut: true), nearer)
        }
        guard end > bytes.count else {
            return (.entry(header, message: Array(bytes[first..<end]), isCut: false), end)
        }
        return isAtEnd ? (.entry(header, message: Array(bytes[first...]), isCut: true), bytes.count) : nil
    }

    private static func damage(_ bytes: UnsafeRawBufferPointer, at start: Int, isAtEnd: Bool) -> (Item, end: Int)? {
        if let header = nextHeader(bytes, start..<bytes.count) {
            return (.damage(Array(bytes[start..<header])), header)
        }
        // A header may be arriving.
        let end = isAtEnd ? bytes.count : max(start, bytes.count - searchLimit)
        return end > start ? (.damage(Array(bytes[start..<end])), end) : nil
    }

    /// The first offset in `range` at which a header begins that another, or the end of what was received, follows.
    private static func nextHeader(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int? {
        range.first { offset in
            guard let header = IOLogHeader(bytes, at: offset) else {
                return false
            }
            let end = offset + IOLogHeader.length + header.size
            return end == bytes.count || IOLogHeader(bytes, at: end) != nil
        }
    }
}
