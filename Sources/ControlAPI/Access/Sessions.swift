import LogModel
import NIOConcurrencyHelpers
import NIOCore

/// What lasts: consoles that somebody is on, answers that go on. When a token ends, so does all that it has begun.
final class Sessions: Sendable {
    private struct State {
        var channels: [Int: (token: String, channel: any Channel)] = [:]
        var next = 0
    }

    private let state = NIOLockedValueBox(State())

    /// Runs `body`, which serves `caller` over `channel`; that is closed when their token ends meanwhile.
    func during<Result>(
        _ caller: Caller,
        _ channel: any Channel,
        from now: Timestamp,
        _ body: () async throws -> Result
    ) async rethrows -> Result {
        guard let token = caller.token else {
            return try await body()
        }
        let number = state.withLockedValue { state in
            state.next += 1
            state.channels[state.next] = (token, channel)
            return state.next
        }
        let end = caller.expires.map { moment in
            let rest = TimeAmount.microseconds(moment.microseconds - now.microseconds)
            return channel.eventLoop.scheduleTask(in: rest) { channel.close(promise: nil) }
        }
        defer {
            end?.cancel()
            state.withLockedValue { $0.channels[number] = nil }
        }
        return try await body()
    }

    /// Ends all that the token of that id has begun.
    func end(_ token: String) {
        let channels = state.withLockedValue { $0.channels.values.filter { $0.token == token }.map(\.channel) }
        channels.forEach { $0.close(promise: nil) }
    }
}
