// SPDX-License-Identifier: Apache-2.0

/// A position in a stream, and the number of markers there that were read. Written `offset.markers`.
///
/// A marker keeps its number at its position forever, in whichever file it is stored, so a cursor stays valid.
public struct Cursor: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var offset: UInt64
    public var markers: Int

    public init(offset: UInt64, markers: Int = 0) {
        self.offset = offset
        self.markers = markers
    }

    /// The beginning of a stream.
    public static let start = Cursor(offset: 0)

    /// Parses `text`, such as `4096.1` or `4096`; nil when it is malformed.
    public init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let offset = UInt64(parts[0]), let markers = parts.count == 2 ? Int(parts[1]) : 0,
            markers >= 0
        else {
            return nil
        }
        self.init(offset: offset, markers: markers)
    }

    /// Advances to the position `offset`, if that is greater.
    mutating func advance(to position: UInt64) {
        self = max(self, Cursor(offset: position))
    }

    public static func < (left: Cursor, right: Cursor) -> Bool {
        (left.offset, left.markers) < (right.offset, right.markers)
    }

    public var description: String { "\(offset).\(markers)" }
}
