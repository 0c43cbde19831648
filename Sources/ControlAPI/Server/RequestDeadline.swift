import NIOConcurrencyHelpers
import NIOCore

/// Closes a connection that takes too long to send a request, be it in TLS, in the request's head or in its body, that
/// is kept open without sending another, or that does not take a short answer.
///
/// While an answer is made, or streamed, there is no limit: a follower may wait for ever.
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

    /// The client has to act: it must send a request, or take an answer.
    func begin() {
        let channel = channel
        let fresh = channel.eventLoop.scheduleTask(in: limit) { channel.abort() }
        set(fresh)
    }

    /// It has.
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
