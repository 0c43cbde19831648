// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOCore
import Synchronization

/// Access to one console for a client that can present only a URL, issued to a caller with access to that console.
struct ConsoleToken: Sendable {
    /// The VM's id, as requests name it.
    let vm: String
    /// The caller it was issued to.
    let caller: Caller
    /// When it expires for new sessions.
    let expires: Timestamp
}

/// The issued console tokens by secret. They are in memory only and end with the process.
final class ConsoleTokens: Sendable {
    private struct State {
        var tokens: [String: ConsoleToken] = [:]
        /// The secrets issued to each client, oldest first: the order in which they expire.
        var secrets: [Client: CircularBuffer<String>] = [:]

        mutating func add(_ secret: String, _ token: ConsoleToken) {
            tokens[secret] = token
            secrets[token.caller.client, default: CircularBuffer()].append(secret)
        }

        mutating func removeExpired(at now: Timestamp) {
            for client in Array(secrets.keys) {
                while let token = secrets[client]?.first.flatMap({ tokens[$0] }), token.expires <= now {
                    removeOldest(of: client)
                }
            }
        }

        mutating func removeOldest(of client: Client) {
            if let secret = secrets[client]?.popFirst() {
                tokens[secret] = nil
            }
            if secrets[client]?.isEmpty ?? false {
                secrets[client] = nil
            }
        }
    }

    private let state = Mutex(State())

    /// Maximum number; beyond it, a new one replaces the oldest of the client that has the most.
    static let limit = 10_000

    /// Stores `token` and returns its secret: a random UUID (RFC 9562, version 4), the form OpenStack's clients expect.
    func issue(_ token: ConsoleToken, at now: Timestamp) -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        let digits = bytes.hexadecimal
        let secret = VMIdentity.canonicalUUID(digits) ?? digits
        state.withLock { state in
            state.removeExpired(at: now)
            if state.tokens.count >= Self.limit,
                let most = state.secrets.max(by: { $0.value.count < $1.value.count })
            {
                state.removeOldest(of: most.key)
            }
            state.add(secret, token)
        }
        return secret
    }

    /// The token of `secret`, unless it has expired at `now`.
    func token(for secret: String, at now: Timestamp) -> ConsoleToken? {
        state.withLock { $0.tokens[secret] }.flatMap { now < $0.expires ? $0 : nil }
    }
}
