// SPDX-License-Identifier: Apache-2.0

/// Counts of bytes that were read from a descriptor and discarded, so that its writer need not wait.
public struct DiscardedOutput: Hashable, Sendable {
    public var bytes: Int
    /// Line feeds among them.
    public var lines: Int
    /// When the first of them was read, in microseconds since the Unix epoch.
    public var since: Int64

    public init(bytes: Int, lines: Int, since: Int64) {
        self.bytes = bytes
        self.lines = lines
        self.since = since
    }
}
