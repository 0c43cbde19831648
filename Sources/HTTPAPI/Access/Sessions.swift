// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOConcurrencyHelpers
import NIOCore
import SystemIO

/// The sessions of all callers: requests in progress and open consoles.
///
/// A session is registered first, and then its caller's token is checked again. A token that ends before the check
/// fails it; one that ends later closes the session. So no session outlives its token, whenever the token is revoked.
final class Sessions: Sendable {
    /// Limits on the sessions that read one VM.
    struct Bounds: Sendable {
        /// Sessions of one client: each holds about 2 MiB, most of it what a console's socket buffers for a slow watcher.
        var perClient = 16
        /// Sessions of all clients together.
        var total = 64
    }

    private struct Reader: Hashable {
        var vm: String
        var client: Client
    }

    private struct State {
        var channels: [Int: (token: String, channel: any Channel)] = [:]
        var next = 0
        var readers: [Reader: Int] = [:]
        var totals: [String: Int] = [:]
    }

    private let tokens: TokenRegister
    private let clock: any HostClock
    private let bounds: Bounds
    private let willEnter: @Sendable () async -> Void
    private let state = NIOLockedValueBox(State())

    /// The sessions of callers that `tokens` admit. `willEnter` is called between a caller's admission and the
    /// registration of its session: tests revoke tokens there.
    init(
        tokens: TokenRegister,
        clock: any HostClock,
        bounds: Bounds = Bounds(),
        willEnter: @escaping @Sendable () async -> Void = {}
    ) {
        self.tokens = tokens
        self.clock = clock
        self.bounds = bounds
        self.willEnter = willEnter
    }

    // MARK: - Tokens

    /// Runs `body`, which serves `caller` over `channel`. When the caller's token ends meanwhile, the channel is
    /// aborted.
    ///
    /// Throws `APIError` 401, without running `body`, when the token has ended already.
    func during<Result>(
        _ caller: Caller,
        _ channel: any Channel,
        _ body: () async throws -> Result
    ) async throws -> Result {
        guard let token = caller.token else {
            return try await body()
        }
        await willEnter()
        let number = state.withLockedValue { state in
            state.next += 1
            state.channels[state.next] = (token, channel)
            return state.next
        }
        defer { state.withLockedValue { $0.channels[number] = nil } }
        let now = Timestamp(microseconds: clock.wallMicroseconds())
        guard tokens.stillAdmits(caller, at: now) else {
            throw APIError(401, "the token was revoked or has expired")
        }
        let end = caller.expires.map { moment in
            let rest = TimeAmount.microseconds(moment.microseconds - now.microseconds)
            return channel.eventLoop.scheduleTask(in: rest) { channel.abort() }
        }
        defer { end?.cancel() }
        return try await body()
    }

    /// Closes all sessions of the token of that id, which must be revoked already, and waits until they are closed.
    func end(_ token: String) async {
        let channels = state.withLockedValue { $0.channels.values.filter { $0.token == token }.map(\.channel) }
        channels.forEach { $0.abort() }
        for channel in channels {
            try? await channel.closeFuture.get()
        }
    }

    // MARK: - Limits

    /// Counts a session that reads the VMs in the folders `vms` for `caller`, until the lease ends.
    ///
    /// Throws `APIError` 429 when the caller has too many sessions on one of them, 503 when all callers together have.
    /// Root and the daemon's own user are not limited.
    func lease(_ vms: Set<String>, for caller: Caller) throws(APIError) -> ReadingLease {
        let readers = caller.isDaemonsOwn ? [] : vms.map { Reader(vm: $0, client: caller.client) }
        try enter(readers, caller)
        return ReadingLease { [state] in Self.leave(readers, state) }
    }

    private func enter(_ readers: [Reader], _ caller: Caller) throws(APIError) {
        let error: APIError? = state.withLockedValue { state in
            for reader in readers {
                if state.readers[reader, default: 0] >= bounds.perClient {
                    return APIError(
                        429,
                        "\(caller.name) has \(bounds.perClient) sessions that read \(reader.vm), the most allowed; "
                            + "close some and retry"
                    )
                }
                if state.totals[reader.vm, default: 0] >= bounds.total {
                    return APIError(
                        503,
                        "\(reader.vm) has \(bounds.total) readers, the most allowed; try again later"
                    )
                }
            }
            for reader in readers {
                state.readers[reader, default: 0] += 1
                state.totals[reader.vm, default: 0] += 1
            }
            return nil
        }
        if let error {
            throw error
        }
    }

    private static func leave(_ readers: [Reader], _ state: NIOLockedValueBox<State>) {
        state.withLockedValue { state in
            for reader in readers {
                let left = (state.readers[reader] ?? 1) - 1
                state.readers[reader] = left == 0 ? nil : left
                let total = (state.totals[reader.vm] ?? 1) - 1
                state.totals[reader.vm] = total == 0 ? nil : total
            }
        }
    }
}

/// A place among the sessions that read a VM, until it ends: at the latest when it is released.
final class ReadingLease: Sendable {
    private let onEnd: NIOLockedValueBox<(@Sendable () -> Void)?>

    fileprivate init(_ onEnd: @escaping @Sendable () -> Void) {
        self.onEnd = NIOLockedValueBox(onEnd)
    }

    deinit {
        end()
    }

    /// Gives the place back; further calls do nothing.
    func end() {
        onEnd.withLockedValue { onEnd in
            defer { onEnd = nil }
            return onEnd
        }?()
    }
}
