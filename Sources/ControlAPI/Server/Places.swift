import NIOConcurrencyHelpers
import NIOCore

/// The places that a door has for connections.
final class Places: Sendable {
    private let limit: Int
    private let taken = NIOLockedValueBox(0)

    /// All of them are taken.
    struct Full: Error {}

    init(_ limit: Int) {
        self.limit = limit
    }

    /// Takes one until `channel` is closed, which it is at once where none is free.
    func take(for channel: any Channel) throws(Full) {
        let isFree = taken.withLockedValue { taken in
            guard taken < limit else {
                return false
            }
            taken += 1
            return true
        }
        guard isFree else {
            channel.close(promise: nil)
            throw Full()
        }
        let taken = taken
        channel.closeFuture.whenComplete { _ in taken.withLockedValue { $0 -= 1 } }
    }
}
