// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOConcurrencyHelpers
import NIOCore

/// Limits the connections of a listener, in total and for each client.
///
/// A connection belongs to its network address, or its local user, until a request presents a valid token; then it
/// belongs to the token. Idle connections, those without a request in progress, are closed to admit new ones: oldest
/// first, and those that never presented a token before others. So no client can exclude others with idle connections.
/// Connections of root and the daemon's own user are closed for each other only.
final class ConnectionLimit: Sendable {
    /// The limits.
    struct Bounds: Sendable {
        /// In total.
        var total: Int
        /// Of these, the number reserved for root and the daemon's own user.
        var reserved = 0
        /// For an address that has not presented a valid token.
        var perAddress = 32
        /// For a token.
        var perToken = 128

        static func local(_ total: Int) -> Bounds { Bounds(total: total, reserved: min(8, total / 2)) }

        /// For all clients but root and the daemon's own user.
        var forOthers: Int { max(1, total - reserved) }

        /// The maximum for a client.
        func most(of client: Client) -> Int {
            switch client {
            case .address: perAddress
            case .token, .anonymous: perToken
            case .user: client.isDaemonsOwn ? total : max(1, forOthers / 2)
            }
        }
    }

    private struct Entry {
        let channel: any Channel
        var client: Client
        /// When it became idle, as a sequence number; nil while a request is in progress.
        var idleSince: UInt64?
        var isKnown: Bool

        func isLessWanted(than other: Entry) -> Bool {
            rank < other.rank
        }

        private var rank: (Int, Int, UInt64) { (client.isDaemonsOwn ? 1 : 0, isKnown ? 1 : 0, idleSince ?? 0) }
    }

    private struct State {
        var entries: [UInt64: Entry] = [:]
        var counts: [Client: Int] = [:]
        var clock: UInt64 = 0

        mutating func tick() -> UInt64 {
            clock += 1
            return clock
        }

        /// Connections of clients other than root and the daemon's own user.
        var others = 0

        mutating func count(_ client: Client, _ change: Int) {
            others += client.isDaemonsOwn ? 0 : change
            let count = counts[client, default: 0] + change
            counts[client] = count == 0 ? nil : count
        }

        mutating func remove(_ number: UInt64) -> Entry? {
            let entry = entries.removeValue(forKey: number)
            if let entry {
                count(entry.client, -1)
            }
            return entry
        }

        /// Removes and returns the idle connection to close first, among those whose client satisfies `mayGo`.
        mutating func evict(_ mayGo: (Client) -> Bool) -> (any Channel)? {
            let idle = entries.filter { $0.value.idleSince != nil && mayGo($0.value.client) }
            return idle.min { $0.value.isLessWanted(than: $1.value) }.flatMap { remove($0.key)?.channel }
        }
    }

    private let bounds: Bounds
    private let state = NIOLockedValueBox(State())

    init(_ bounds: Bounds) {
        self.bounds = bounds
    }

    /// Counts a new connection of `client` until its channel is closed. Throws `APIError` 503 when the limit is
    /// reached.
    func admit(_ channel: any Channel, of client: Client) throws(APIError) -> CountedConnection {
        let bounds = bounds
        let (number, evicted): (UInt64?, [any Channel]) = state.withLockedValue { state in
            var evicted: [any Channel] = []
            // The client's own limit first: closing for it makes room in total too.
            if state.counts[client, default: 0] >= bounds.most(of: client) {
                guard let channel = state.evict({ $0 == client }) else {
                    return (nil, evicted)
                }
                evicted.append(channel)
            }
            if state.entries.count >= bounds.total || !client.isDaemonsOwn && state.others >= bounds.forOthers {
                guard let channel = state.evict({ client.isDaemonsOwn || !$0.isDaemonsOwn }) else {
                    return (nil, evicted)
                }
                evicted.append(channel)
            }
            let number = state.tick()
            state.entries[number] = Entry(channel: channel, client: client, idleSince: number, isKnown: false)
            state.count(client, 1)
            return (number, evicted)
        }
        evicted.forEach { $0.abort() }
        guard let number else {
            throw APIError(503, "all \(bounds.total) connections of this listener are in use; try again later")
        }
        channel.closeFuture.whenComplete { [state] _ in _ = state.withLockedValue { $0.remove(number) } }
        return CountedConnection(limit: self, number: number)
    }

    fileprivate func begin(_ number: UInt64, of client: Client, _ name: String) throws(APIError) {
        let most = bounds.most(of: client)
        let (isAdmitted, evicted): (Bool, (any Channel)?) = state.withLockedValue { state in
            guard var entry = state.entries[number] else {
                return (false, nil)
            }
            entry.idleSince = nil
            entry.isKnown = true
            var evicted: (any Channel)?
            if entry.client != client {
                if state.counts[client, default: 0] >= most {
                    evicted = state.evict { $0 == client }
                    if evicted == nil {
                        return (false, nil)
                    }
                }
                state.count(entry.client, -1)
                state.count(client, 1)
                entry.client = client
            }
            state.entries[number] = entry
            return (true, evicted)
        }
        evicted?.abort()
        guard isAdmitted else {
            throw APIError(429, "\(name) has \(most) requests in progress, the most allowed; close some and try again")
        }
    }

    fileprivate func end(_ number: UInt64) {
        state.withLockedValue { state in
            let now = state.tick()
            state.entries[number]?.idleSince = now
        }
    }
}

/// A connection counted by a `ConnectionLimit`.
struct CountedConnection: Sendable {
    fileprivate let limit: ConnectionLimit
    fileprivate let number: UInt64

    /// Runs `body`, which answers a request of `caller`. The connection belongs to that caller from now on, and is not
    /// idle meanwhile.
    ///
    /// Throws `APIError` 429 when the caller has too many requests in progress.
    func answering<Result>(_ caller: Caller, _ body: () async throws -> Result) async throws -> Result {
        try limit.begin(number, of: caller.client, caller.name)
        defer { limit.end(number) }
        return try await body()
    }
}

extension Client {
    var isDaemonsOwn: Bool {
        if case .user(let user?) = self { user == 0 || user == geteuid() } else { false }
    }
}
