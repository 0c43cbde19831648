/// What was read from a descriptor by a process that could not keep it, so that whoever writes to it need not wait.
public struct DiscardedOutput: Hashable, Sendable {
    /// Bytes.
    public var bytes: Int
    /// Line feeds among them.
    public var lines: Int
    /// When the first of them was read, in microseconds since the Unix epoch.
    public var since: Int64

    /// Counts as given.
    public init(bytes: Int, lines: Int, since: Int64) {
        self.bytes = bytes
        self.lines = lines
        self.since = since
    }
}
