/// A place in a stream: a position, and how many of the markers there have been seen. Written `offset.markers`.
///
/// A marker keeps its number at its position for ever, in whichever file it rests, so a cursor means the same at any
/// later time.
public struct Cursor: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Position of the next byte to read.
    public var offset: UInt64
    /// Markers at that position already seen.
    public var markers: Int

    /// The place at `offset` after `markers` of its markers.
    public init(offset: UInt64, markers: Int = 0) {
        self.offset = offset
        self.markers = markers
    }

    /// The stream's very beginning.
    public static let start = Cursor(offset: 0)

    /// The cursor that `text` spells, as `4096.1` or `4096`; nil when it spells none.
    public init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let offset = UInt64(parts[0]), let markers = parts.count == 2 ? Int(parts[1]) : 0,
            markers >= 0
        else {
            return nil
        }
        self.init(offset: offset, markers: markers)
    }

    /// Moves to the position `offset`, if that lies behind.
    mutating func advance(to position: UInt64) {
        self = max(self, Cursor(offset: position))
    }

    public static func < (left: Cursor, right: Cursor) -> Bool {
        (left.offset, left.markers) < (right.offset, right.markers)
    }

    public var description: String { "\(offset).\(markers)" }
}
