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

    /// Ends the console and tells its watchers the reason, unless it is nil, as the given kind of end.
    func end(_ reason: String?, as kind: ConsoleNotice.End = .consoleEnded) -> TeardownResult {
        if guest != nil {
            hangUp()
        }
        return TeardownResult(descriptor: nil, sockets: release(reason, as: kind))
    }

    /// Ends the console without a marker, because the next process continues it: with the descriptor when it
    /// `isPassedOn`. Else the connection is closed after all output written by then was read.
    func suspend(isPassedOn: Bool) -> TeardownResult {
        if definition.isOnDemand {
            return end(Self.stopReason, as: .sessionEnded)
        }
        let descriptor = isPassedOn ? guest?.handOver() : nil
        if !isPassedOn {
            guest?.drainAndEnd()
        }
        guest = nil
        return TeardownResult(descriptor: descriptor, sockets: release(Self.stopReason, as: .sessionEnded))
    }

    private static let stopReason = "guestlog stops"

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

    private func release(_ reason: String?, as kind: ConsoleNotice.End) -> [ListeningSocket] {
        endPending()
        lastPipe = nil
        perform { $0.end() }
        settleAttachments()
        for watcher in watchers {
            // A client takes the first end that it is told: the reason is the one, if there is one.
            watcher.reportSkipped(remedy: "read the log", end: reason == nil ? .fellBehind : nil)
        }
        if let reason {
            notifyWatchers(reason, end: kind)
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
