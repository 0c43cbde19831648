// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// A source of the agent: a descriptor that is read in turns, so that the connection has its own.
protocol AgentSource: EventHandler {
    /// Reads what one turn allows; returns whether there may be more.
    func readTurn() -> Bool
}

extension AgentSource {
    func handle(_ readiness: Readiness) {
        _ = readTurn()
    }

    /// Reads what waits, before the agent ends. A program that logs without end does not delay that.
    func drain() {
        for _ in 0..<64 {
            guard readTurn() else {
                return
            }
        }
    }
}
