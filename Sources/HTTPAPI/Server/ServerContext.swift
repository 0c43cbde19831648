// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO

/// What every server needs, whatever it serves: access control, and threads for reading files.
final class ServerContext: Sendable {
    let tokens: TokenRegister
    let sessions: Sessions
    let diagnostics: Diagnostics
    private let clock: any HostClock
    /// Threads for reading files. Network clients have their own, so that they do not delay clients on this host.
    private let localThreads = ReaderThreads()
    private let networkThreads = ReaderThreads()

    init(tokens: TokenRegister, clock: any HostClock, diagnostics: Diagnostics) {
        self.tokens = tokens
        self.clock = clock
        self.diagnostics = diagnostics
        sessions = Sessions(tokens: tokens, clock: clock)
    }

    var now: Timestamp { clock.now }

    /// Reads files for `caller`, as long as the response `isWanted`.
    func reader(for caller: Caller, isWanted: @escaping @Sendable () -> Bool) -> RequestReader {
        RequestReader(
            threads: caller.isLocal ? localThreads : networkThreads,
            client: caller.client,
            isWanted: isWanted
        )
    }
}
