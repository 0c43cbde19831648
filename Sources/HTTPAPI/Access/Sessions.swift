// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
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

    /// What a session reads.
    private enum Subject: Hashable {
        /// The VM in that folder.
        case vm(String)
        /// What the word names, once the caller sees such a VM.
        case absent(String)
    }

    private struct Reader: Hashable {
        var subject: Subject
        var client: Client
    }

    private struct State {
        var channels: [Int: (token: String?, channel: any Channel, farewell: Farewell?)] = [:]
        var next = 0
        var readers: [Reader: Int] = [:]
        var totals: [String: Int] = [:]
    }

    /// The bytes with which a session's output ends, for a reason in words.
    typealias Farewell = @Sendable (_ reason: String) -> ByteBuffer

    private let tokens: TokenRegister
    private let clock: any HostClock
    private let bounds: Bounds
    private let state = NIOLockedValueBox(State())

    /// The sessions of callers that `tokens` admit.
    init(tokens: TokenRegister, clock: any HostClock, bounds: Bounds = Bounds()) {
        self.tokens = tokens
        self.clock = clock
        self.bounds = bounds
    }

    // MARK: - Tokens

    /// Runs `body`, which serves `caller` over `channel`. When the caller's token ends meanwhile, the channel is
    /// aborted, after a `farewell` where the protocol has one.
    ///
    /// Throws `APIError` 401, without running `body`, when the token has ended already.
    func during<Result>(
        _ caller: Caller,
        _ channel: any Channel,
        farewell: Farewell? = nil,
        _ body: () async throws -> Result
    ) async throws -> Result {
        guard caller.token != nil || farewell != nil else {
            return try await body()
        }
        let number = state.withLockedValue { state in
            state.next += 1
            state.channels[state.next] = (caller.token, channel, farewell)
            return state.next
        }
        defer { state.withLockedValue { $0.channels[number] = nil } }
        guard caller.token != nil else {
            return try await body()
        }
        let now = clock.now
        guard tokens.stillAdmits(caller, at: now) else {
            throw APIError(401, "the token was revoked or has expired")
        }
        let end = caller.expires.map { moment in
            let rest = TimeAmount.microseconds(moment.microseconds - now.microseconds)
            return channel.eventLoop.scheduleTask(in: rest) { channel.abort(after: farewell?("the token has expired")) }
        }
        defer { end?.cancel() }
        return try await body()
    }

    /// Closes all sessions of the token of that id, which must be revoked already, and waits until they are closed.
    func end(_ token: String) async {
        let ended = state.withLockedValue { $0.channels.values.filter { $0.token == token } }
        ended.forEach { $0.channel.abort(after: $0.farewell?("the token was revoked")) }
        for session in ended {
            try? await session.channel.closeFuture.get()
        }
    }

    /// Writes `end` to the sessions of all callers whose protocol has a farewell. They are to be cancelled then.
    func writeEnd(_ end: ByteBuffer) {
        let channels = state.withLockedValue { $0.channels.values.filter { $0.farewell != nil }.map { $0.channel } }
        channels.forEach { $0.write(end: end) }
    }

    // MARK: - Limits

    /// Counts a session that reads the VMs in the folders `vms` for `caller`, until the lease ends.
    ///
    /// Throws `APIError` 429 when the caller has too many sessions on one of them, 503 when all callers together have.
    /// Root and the daemon's own user are not limited.
    func lease(_ vms: Set<String>, for caller: Caller) throws(APIError) -> ReadingLease {
        try lease(vms.map { .vm($0) }, caller)
    }

    /// Counts a session that waits for a VM `word`, which is absent for `caller`. Sessions of other callers are not
    /// counted with it: the word may be the folder of a VM that the caller may not see.
    ///
    /// Throws `APIError` 429 when the caller has too many such sessions.
    func lease(awaiting word: String, for caller: Caller) throws(APIError) -> ReadingLease {
        try lease([.absent(word)], caller)
    }

    private func lease(_ subjects: [Subject], _ caller: Caller) throws(APIError) -> ReadingLease {
        let readers = caller.isDaemonsOwn ? [] : subjects.map { Reader(subject: $0, client: caller.client) }
        try enter(readers, caller)
        return ReadingLease { [state] in Self.leave(readers, state) }
    }

    private func enter(_ readers: [Reader], _ caller: Caller) throws(APIError) {
        let error: APIError? = state.withLockedValue { state in
            for reader in readers {
                if state.readers[reader, default: 0] >= bounds.perClient {
                    return tooMany(of: reader.subject, caller)
                }
                if case .vm(let vm) = reader.subject, state.totals[vm, default: 0] >= bounds.total {
                    return APIError(503, "\(vm) has \(bounds.total) readers, the most allowed; try again later")
                }
            }
            for reader in readers {
                state.readers[reader, default: 0] += 1
                if case .vm(let vm) = reader.subject {
                    state.totals[vm, default: 0] += 1
                }
            }
            return nil
        }
        if let error {
            throw error
        }
    }

    private func tooMany(of subject: Subject, _ caller: Caller) -> APIError {
        let what =
            switch subject {
            case .vm(let folder): "read \(folder)"
            case .absent(let word): "wait for \(word)"
            }
        return APIError(
            429,
            "\(caller.name) has \(bounds.perClient) sessions that \(what), the most allowed; close some and retry"
        )
    }

    private static func leave(_ readers: [Reader], _ state: NIOLockedValueBox<State>) {
        state.withLockedValue { state in
            for reader in readers {
                let left = (state.readers[reader] ?? 1) - 1
                state.readers[reader] = left == 0 ? nil : left
                if case .vm(let vm) = reader.subject {
                    let total = (state.totals[vm] ?? 1) - 1
                    state.totals[vm] = total == 0 ? nil : total
                }
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
