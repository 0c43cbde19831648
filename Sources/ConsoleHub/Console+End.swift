// SPDX-License-Identifier: Apache-2.0

import Capture
import SystemIO

// How a console ends.
extension Console {
    /// What remains of a console after it has ended.
    struct TeardownResult: Sendable {
        /// The connection to the guest, when it is passed on.
        var descriptor: Int32?
        /// Sockets whose files are to be removed.
        var sockets: [ListeningSocket]
    }

    /// Ends the console and tells its watchers the reason, unless it is nil.
    func end(_ reason: String?) -> TeardownResult {
        if guest != nil {
            hangUp()
        }
        return TeardownResult(descriptor: nil, sockets: release(reason))
    }

    /// Ends the console without a marker, because the next process continues it: with the descriptor when it
    /// `isPassedOn`. Else the connection is closed after all output written by then was read.
    func suspend(isPassedOn: Bool) -> TeardownResult {
        if definition.isOnDemand {
            return end("guestlog stops")
        }
        let descriptor = isPassedOn ? guest?.handOver() : nil
        if !isPassedOn {
            guest?.drainAndEnd()
        }
        guest = nil
        return TeardownResult(descriptor: descriptor, sockets: release("guestlog stops"))
    }

    /// Gives up a connection that was not accepted, because no client needs it any more.
    func abandonPending() {
        if pending != nil {
            endPending()
            _ = link.dialled()
        }
    }

    private func endPending() {
        pending?.end()
        pending = nil
    }

    private func release(_ reason: String?) -> [ListeningSocket] {
        endPending()
        lastPipe = nil
        perform { $0.end() }
        settleAttachments()
        for watcher in watchers {
            watcher.reportSkipped(remedy: "read the log")
        }
        if let reason {
            notifyWatchers(reason, end: .consoleEnded)
        }
        closeWatchers { _ in true }
        consoleLog?.close()
        let sockets = [listener, passThrough].compactMap { $0 }
        sockets.forEach { $0.end() }
        listener = nil
        passThrough = nil
        return sockets
    }
}
