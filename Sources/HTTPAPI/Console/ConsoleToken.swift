// SPDX-License-Identifier: Apache-2.0

import LogModel
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
    private let tokens = Mutex<[String: ConsoleToken]>([:])

    /// Maximum number; beyond it, a new one replaces the one that expires first.
    private static let limit = 10_000

    /// Stores `token` and returns its secret: a random UUID (RFC 9562, version 4), the form OpenStack's clients expect.
    func issue(_ token: ConsoleToken, at now: Timestamp) -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        let digits = bytes.hexadecimal
        let secret = VMIdentity.canonicalUUID(digits) ?? digits
        tokens.withLock { tokens in
            tokens = tokens.filter { now < $0.value.expires }
            if tokens.count >= Self.limit, let oldest = tokens.min(by: { $0.value.expires < $1.value.expires }) {
                tokens[oldest.key] = nil
            }
            tokens[secret] = token
        }
        return secret
    }

    /// The token of `secret`, unless it has expired at `now`.
    func token(for secret: String, at now: Timestamp) -> ConsoleToken? {
        tokens.withLock { $0[secret] }.flatMap { now < $0.expires ? $0 : nil }
    }
}
