// SPDX-License-Identifier: Apache-2.0

/// Limits what the joined names of a flattened object add to a record: each member repeats the names before it, so that
/// the names of an object in few bytes could need any memory.
public struct JoinedNames: Sendable {
    private var added = 0
    private let start: Int
    /// Whether the limit was exceeded.
    public private(set) var areTooLong = false

    /// The names may need so many times the bytes of the text.
    private static let factor = 4
    /// They may need so many bytes more, so that no short record is limited.
    private static let spare = 4096

    /// Names of an object whose text begins at `start`.
    public init(at start: Int = 0) {
        self.start = start
    }

    /// Counts `count` bytes before a member whose text is at `offset`; returns whether they are within the limit.
    public mutating func add(_ count: Int, at offset: Int) -> Bool {
        added += count
        areTooLong = areTooLong || added > Self.spare + Self.factor * (offset - start)
        return !areTooLong
    }
}
