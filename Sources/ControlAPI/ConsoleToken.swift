import LogModel
import Synchronization

/// Leave to be on one console, given to somebody who may be there, for a client that can show no token but an address.
struct ConsoleToken: Sendable {
    /// The VM, in a word as a request names it.
    let vm: String
    /// To whom it was given.
    let caller: Caller
    /// Until when a visit may begin.
    let expires: Timestamp
}

/// The tokens that have been given, each behind a secret that stands in an address. They do not outlive the process.
final class ConsoleTokens: Sendable {
    private let tokens = Mutex<[String: ConsoleToken]>([:])

    /// Most at once: what more are asked for take the place of those that are over first.
    private static let limit = 10_000

    /// Gives one, and returns its secret: a random UUID, as OpenStack's clients expect (RFC 9562, version 4).
    func issue(_ token: ConsoleToken, at now: Timestamp) -> String {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        let digits = bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
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

    /// The grant behind `secret`, if it counts at `now`.
    func token(for secret: String, at now: Timestamp) -> ConsoleToken? {
        tokens.withLock { $0[secret] }.flatMap { now < $0.expires ? $0 : nil }
    }
}
