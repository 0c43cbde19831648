/// What a reader finds at a cursor.
public struct Batch {
    /// The bytes and records.
    public var block: Block
    /// The first record to be looked at: the data record that holds the cursor's position, or a marker there.
    public var firstRecord: Int
    /// The first byte to be looked at; lies in the first record.
    public var start: UInt64
    /// Bytes between the cursor and `start` that are no longer, or were never, there: first what retention removed, then
    /// what is damaged.
    public var missing: [Missing] = []
    /// The cursor after all of this.
    public var next: Cursor

    /// A stretch of positions without bytes.
    public struct Missing: Hashable, Sendable {
        /// First position missing.
        public var from: UInt64
        /// First position there again.
        public var to: UInt64
        /// `retention` or `corruption`; a jump after a host restart has its own marker and is not reported here.
        public var reason: GapReason
    }
}
