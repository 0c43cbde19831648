import NIOConcurrencyHelpers
import NIOCore

/// Closes a connection that takes too long to say what it wants, be it in TLS, in a request's head or in its body, or
/// that is kept open without asking anything more.
///
/// While an answer is on its way there is no limit: a follower may listen for ever.
final class RequestDeadline: Sendable {
    private let channel: any Channel
    private let limit: TimeAmount
    private let task = NIOLockedValueBox<Scheduled<Void>?>(nil)

    /// A deadline that has begun.
    init(_ channel: any Channel, _ limit: TimeAmount) {
        self.channel = channel
        self.limit = limit
        begin()
    }

    /// A request is to come.
    func begin() {
        let channel = channel
        let fresh = channel.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
        set(fresh)
    }

    /// It has come.
    func end() {
        set(nil)
    }

    private func set(_ fresh: Scheduled<Void>?) {
        task.withLockedValue { task in
            task?.cancel()
            task = fresh
        }
    }
}
