// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import LogStore

/// The stable id of a record that left the store: `vm/stream/offset`, where the VM is named by its folder.
///
/// The offset of an event has the number of its marker, and that of a piece of a line its end: `web/console0/4096`,
/// `web/console0/4096.1`, `web/console0/4096-4101`.
public struct RecordID: Hashable, Sendable, CustomStringConvertible {
    public var stream: StreamID
    /// The beginning of the line, or the position of the event.
    public var position: Cursor
    /// The end of a piece of a line that was sent before its rest.
    public var pieceEnd: UInt64?
    public var isEvent: Bool

    public init(_ stream: StreamID, _ position: Cursor, pieceEnd: UInt64? = nil, isEvent: Bool = false) {
        self.stream = stream
        self.position = position
        self.pieceEnd = pieceEnd
        self.isEvent = isEvent
    }

    /// Parses `text`; nil when it is malformed.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, let name = StreamName(String(parts[1])) else {
            return nil
        }
        stream = StreamID(vm: String(parts[0]), stream: name)
        let ends = parts[2].split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count <= 2, let start = Cursor(String(ends[0])) else {
            return nil
        }
        isEvent = ends[0].contains(".")
        pieceEnd = ends.count == 2 ? UInt64(ends[1]) : nil
        guard ends.count == 1 || pieceEnd.map({ $0 > start.offset }) ?? false, !isEvent || start.markers > 0 else {
            return nil
        }
        position = Cursor(offset: start.offset, markers: isEvent ? start.markers - 1 : 0)
    }

    public var description: String {
        Self.prefix(of: stream) + Self.suffix(position, pieceEnd: pieceEnd, isEvent: isEvent)
    }

    /// What all ids of a stream begin with.
    public static func prefix(of stream: StreamID) -> String { "\(stream.vm)/\(stream.stream)/" }

    /// What follows that.
    public static func suffix(_ position: Cursor, pieceEnd: UInt64?, isEvent: Bool) -> String {
        let offset = String(position.offset)
        return isEvent ? offset + ".\(position.markers + 1)" : pieceEnd.map { offset + "-\($0)" } ?? offset
    }
}
