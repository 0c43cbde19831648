import Synchronization

/// Whether the other end of a connection still answers.
final class Liveness: Sendable {
    private let isSilent = Atomic(false)

    /// Something came.
    func heard() {
        isSilent.store(false, ordering: .relaxed)
    }

    /// Waits for an interval; false when nothing came in it, nor in the one before, at whose end a ping was sent.
    func isAlive(after interval: Duration) async throws -> Bool {
        let wasSilent = isSilent.exchange(true, ordering: .relaxed)
        try await Task.sleep(for: interval)
        return !(wasSilent && isSilent.load(ordering: .relaxed))
    }
}
