// SPDX-License-Identifier: Apache-2.0

import Capture
import CLinux
import Glibc
import LogModel
import LogStore
import SystemIO

/// One console, on its VM's shard: the connection to the guest, the log, the watchers, and the one watcher that may
/// write.
///
/// The guest's bytes go to the log and to every watcher. A writer's bytes go to the guest and nowhere else; the guest
/// may echo them. Operations that may block on a file system (opening paths, creating and removing sockets) run on the
/// hub's control thread.
final class Console: @unchecked Sendable {
    // Sendable because all but the lets is touched on the shard's thread alone.

    let definition: ConsoleHub.Definition
    let shard: Shard
    unowned let hub: ConsoleHub
    /// Its log; nil when the console is not captured, only joined.
    private let consoleLog: ConsoleLog?
    var guest: GuestConnection?
    private var listener: ListeningSocket?
    var passThrough: ListeningSocket?
    var watchers: [Watcher] = []
    var writer: Watcher?
    /// Callbacks of clients that wait for the result of dialling a console on demand.
    var awaitingDial: [() -> Void] = []
    /// Why the console could not be reached, as reported to the watchers.
    var reportedFailure: SystemError?
    private var knownPeer: ProcessIdentity?
    /// Whether it was connected since this process began, and whether it was found unreachable since then.
    private var wasConnected = false
    private var wasAbsent = false
    private var connectedAt: Int64 = 0
    var backoff = Backoff()
    var retry: EventLoop.TimerToken?
    var isDialling = false
    private var forgetting: EventLoop.TimerToken?
    /// Whether it was closed and cannot be reached again.
    private var isSpent = false
    var isEnded = false

    /// After a connection that lasted this long, in microseconds, the next attempt is made at once.
    private static let settled: Int64 = 1_000_000

    init(_ definition: ConsoleHub.Definition, shard: Shard, hub: ConsoleHub) {
        self.definition = definition
        self.shard = shard
        self.hub = hub
        consoleLog = definition.isOnDemand ? nil : ConsoleLog(definition, capture: hub.capture, shard: shard)
    }

    /// Begins to reach the console: with an existing connection, or by dialling. `discarded` is what the keeper of the
    /// connection read and discarded.
    func begin(
        with connection: Connection?,
        knownPeer: ProcessIdentity?,
        isHandedOver: Bool,
        discarded: DiscardedOutput? = nil
    ) {
        self.knownPeer = knownPeer
        guard let consoleLog else {
            return
        }
        consoleLog.open()
        if let discarded {
            consoleLog.countLoss(bytes: discarded.bytes, lines: discarded.lines, since: discarded.since)
        }
        if let connection {
            connected(connection, isHandedOver: isHandedOver)
        } else {
            dial()
        }
    }

    var status: ConsoleHub.Status {
        ConsoleHub.Status(
            definition: definition,
            isConnected: guest != nil,
            watchers: watchers.count,
            writer: writer?.who,
            passThrough: passThrough?.path,
            isStored: consoleLog?.isStored ?? false
        )
    }

    func log(_ level: DiagnosticLevel, _ message: String) {
        hub.capture.diagnostics.log(level, "console \(definition.key.name)/\(definition.key.stream): \(message)")
    }

    // MARK: - Reaching the guest

    /// Whether the console is to be connected.
    var isWanted: Bool { !definition.isOnDemand || !watchers.isEmpty }

    func dial() {
        guard isWanted, definition.endpoint.isDialled, guest == nil, !isDialling, !isSpent, !isEnded else {
            return
        }
        isDialling = true
        hub.open(self)
    }

    /// The result of dialling.
    func dialled(_ result: Result<Connection, SystemError>) {
        isDialling = false
        defer { settleAttachments() }
        guard guest == nil, !isEnded, isWanted else {
            return
        }
        switch result {
        case .success(let connection): connected(connection, isHandedOver: false)
        case .failure(let error): unreachable(error)
        }
    }

    private func unreachable(_ error: SystemError) {
        if error.code == ENOENT || error.code == ECONNREFUSED {
            wasAbsent = true
        }
        if definition.isOnDemand {
            if reportedFailure != error {
                notifyWatchers("cannot reach the console: \(error); retrying")
                reportedFailure = error
            }
            // Detects watchers that have left meanwhile, which may end the attempts.
            inputDrained()
        }
        guard error.code == ENOENT else {
            retryLater("\(error)")
            return
        }
        // The folder is watched, so its path's return will be noticed. A VMM takes a while to restart.
        if definition.isDiscovered, forgetting == nil {
            forgetting = shard.loop.schedule(afterMicroseconds: hub.forgetsAfter) { [weak self] in
                if let self {
                    forgetting = nil
                    hub.forget(self)
                }
            }
        }
    }

    private func retryLater(_ reason: @autoclosure () -> String) {
        let wasSlow = backoff.isSlow
        let delay = backoff.next()
        if backoff.isSlow, !wasSlow {
            log(.warning, "\(reason()); retrying every \(backoff.longest / 1_000_000) s")
        }
        retry = shard.loop.schedule(afterMicroseconds: delay) { [weak self] in
            self?.retry = nil
            self?.dial()
        }
    }

    func cancel(_ timer: inout EventLoop.TimerToken?) {
        if let token = timer {
            shard.loop.cancel(token)
        }
        timer = nil
    }

    /// The path has appeared or changed: the VMM may listen there now.
    func endpointChanged() {
        backoff = Backoff()
        cancel(&retry)
        dial()
    }

    /// Listens on `socket` for the VMM's connection.
    func listen(on socket: ListeningSocket) {
        listener = begin(socket) { console, descriptor in
            // The newest connection is the VMM's: the end of the previous one may not have been detected.
            if console.guest != nil {
                console.disconnected()
            }
            console.connected(Connection(descriptor), isHandedOver: false)
        }
    }

    /// Begins to accept connections on `socket`; nil when the console has ended meanwhile, or the loop refuses it.
    func begin(
        _ socket: ListeningSocket,
        _ onConnection: @escaping (Console, consuming Descriptor) -> Void
    ) -> ListeningSocket? {
        guard !isEnded else {
            hub.discard([socket])
            return nil
        }
        do throws(SystemError) {
            try socket.begin(on: shard.loop) { [unowned self] descriptor in onConnection(self, descriptor) }
            return socket
        } catch {
            log(.error, "cannot listen at \(socket.path): \(error)")
            hub.discard([socket])
            return nil
        }
    }

    func connected(_ connection: Connection, isHandedOver: Bool) {
        let peer = connection.peer
        let guest: GuestConnection
        do throws(SystemError) {
            guest = try GuestConnection(connection, console: self)
        } catch {
            // Typically a regular file in place of a pipe.
            unreachable(SystemError("wait for", definition.endpoint.description, code: error.code))
            return
        }
        self.guest = guest
        reportedFailure = nil
        cancel(&forgetting)
        connectedAt = hub.capture.clock.monotonicMicroseconds()
        if isHandedOver, hub.capture.hasLostBefore {
            consoleLog?.mark(.absence(.daemonAway))
        }
        if !isHandedOver, let boundary = boundary(before: peer) {
            consoleLog?.mark(boundary, since: wasConnected ? nil : hub.absentSince)
        }
        (wasConnected, wasAbsent) = (true, false)
        knownPeer = peer
        if !definition.isOnDemand {
            hub.connected(definition, connection)
        }
        // Sends input that was typed meanwhile.
        inputDrained()
    }

    /// The marker before the first byte of a new connection, as far as the transport knows; nil when nothing is
    /// missing.
    private func boundary(before peer: ProcessIdentity?) -> ConsoleBoundary? {
        let isSameMachine =
            if let peer, let knownPeer { peer.isSame(as: knownPeer) } else { wasConnected && !wasAbsent }
        guard !isSameMachine else {
            // Output of the meantime was dropped by the VMM, unless the endpoint buffers it.
            return definition.endpoint.keepsOutput ? nil : .absence(wasConnected ? .disconnected : .daemonAway)
        }
        if definition.endpoint == .inherited || wasAbsent {
            return .boot(.powerOn)
        }
        guard let age = peer?.age else {
            return .boot(.powerOn)
        }
        return .boot(age < hub.joinAge ? .powerOn : .joined)
    }

    /// Closes the connection.
    func hangUp() {
        guest?.end()
        guest = nil
        consoleLog?.mark(.boot(.closed))
        if !definition.isOnDemand {
            hub.disconnected(definition)
        }
    }

    /// The guest's end has closed.
    func disconnected() {
        guard guest != nil else {
            return
        }
        hangUp()
        // Input for a closed connection is dropped, so the writer may continue.
        inputDrained()
        let reconnectPolicy = definition.endpoint.reconnectPolicy
        guard reconnectPolicy != .never else {
            isSpent = true
            closeWatchers { !$0.isBehind }
            return
        }
        notifyWatchers("the console was closed; waiting for it to reconnect; input is dropped until then")
        if hub.capture.clock.monotonicMicroseconds() - connectedAt >= Self.settled {
            backoff = Backoff()
        }
        if definition.endpoint.isDialled, reconnectPolicy == .retry {
            retryLater("\(definition.endpoint.description) closes as soon as it is opened")
        }
    }

    /// Passes the guest's output to the watchers.
    func output(_ bytes: UnsafeRawBufferPointer) {
        for watcher in watchers {
            watcher.send(bytes)
        }
    }

    func receive(from descriptor: Int32) -> StreamIntake.Received {
        consoleLog?.receive(from: descriptor) ?? shard.receiveUnstored(from: descriptor)
    }

    /// What remains of a console after it has ended.
    struct TeardownResult: Sendable {
        /// The connection to the guest, when it is passed on.
        var descriptor: Int32?
        /// Sockets whose files are to be removed.
        var sockets: [ListeningSocket]
    }

    /// Ends the console and tells its watchers the reason.
    func end(_ reason: String) -> TeardownResult {
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

    private func release(_ reason: String) -> [ListeningSocket] {
        isEnded = true
        settleAttachments()
        notifyWatchers(reason)
        cancel(&retry)
        cancel(&forgetting)
        closeWatchers { _ in true }
        consoleLog?.close()
        let sockets = [listener, passThrough].compactMap { $0 }
        sockets.forEach { $0.end() }
        listener = nil
        passThrough = nil
        return sockets
    }
}
