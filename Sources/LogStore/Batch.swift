// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// The data that a reader returns for a cursor.
public struct Batch {
    public var block: Block
    /// The first record of interest: the data record at the cursor's position, or a marker there.
    public var firstRecord: Int
    /// The first byte of interest; it belongs to the first record.
    public var start: UInt64
    /// Positions between the cursor and `start` without bytes: first what retention removed, then what is damaged.
    public var missing: [Missing] = []
    /// The cursor after this batch.
    public var next: Cursor

    /// A range of positions without bytes.
    public struct Missing: Hashable, Sendable {
        public var from: UInt64
        /// First position with a byte again.
        public var to: UInt64
        /// `retention` or `corruption`. A jump after a host restart has its own marker and is not reported here.
        public var reason: GapReason
    }
}
