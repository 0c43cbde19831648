// SPDX-License-Identifier: Apache-2.0

import NIOConcurrencyHelpers
import NIOCore

/// Closes a connection on which TLS, a request's head or its body takes too long, that stays open without another
/// request, or whose client does not read a short response.
///
/// There is no limit while a response is generated or streamed: a follower may wait forever.
final class RequestDeadline: Sendable {
    private let channel: any Channel
    private let limit: TimeAmount
    private let task = NIOLockedValueBox<Scheduled<Void>?>(nil)

    init(_ channel: any Channel, _ limit: TimeAmount) {
        self.channel = channel
        self.limit = limit
        begin()
    }

    /// Starts the deadline: the client must send a request, or read a response.
    func begin() {
        let channel = channel
        let fresh = channel.eventLoop.scheduleTask(in: limit) { channel.abort() }
        set(fresh)
    }

    /// Stops it: the client has done so.
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
