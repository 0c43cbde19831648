import Synchronization

/// A number that only grows: what `guestlog status` and the metrics show.
public final class Counter: Sendable {
    /// The metric's name, as `guestlog_captured_bytes_total`.
    public let name: String
    /// What it counts, in one line.
    public let help: String
    private let count = Atomic<UInt64>(0)

    /// A counter at 0.
    public init(_ name: String, _ help: String) {
        self.name = name
        self.help = help
    }

    /// The value now.
    public var value: UInt64 { count.load(ordering: .relaxed) }

    /// Counts `amount` more.
    public func add(_ amount: Int = 1) {
        count.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }
}
