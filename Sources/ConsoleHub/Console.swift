// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import SystemIO

/// One console, on its VM's shard: the connection to the guest, the log, the watchers, and the one watcher that may
/// write. When the guest is dialled, and what a new connection means, `ConsoleLink` decides.
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
    let consoleLog: RetryingIntake?
    var guest: GuestConnection?
    /// A connection that the VMM has not accepted yet.
    var pending: PendingConnection?
    /// The named pipe whose writers have gone, until it is open again: meanwhile it keeps what the next writer writes.
    var lastPipe: Connection?
    var listener: ListeningSocket?
    var passThrough: ListeningSocket?
    var watchers: [Watcher] = [] {
        didSet { link.hasClients = !watchers.isEmpty }
    }
    var writer: Watcher?
    /// Callbacks of clients that wait for the result of dialling a console on demand.
    var awaitingDial: [() -> Void] = []
    var link: ConsoleLink
    private var retry: EventLoop.TimerToken?
    private var forgetting: EventLoop.TimerToken?

    init(
        _ definition: ConsoleHub.Definition,
        shard: Shard,
        hub: ConsoleHub,
        knownPeer: PeerIdentity?,
        isUnrecovered: Bool
    ) {
        self.definition = definition
        self.shard = shard
        self.hub = hub
        consoleLog = definition.isOnDemand ? nil : definition.intake(in: hub.capture, on: shard)
        let traits = ConsoleLink.Traits(
            endpoint: definition.endpoint,
            isOnDemand: definition.isOnDemand,
            isDiscovered: definition.isDiscovered,
            joinAge: hub.joinAge
        )
        link = ConsoleLink(traits, knownPeer: knownPeer, isUnrecovered: isUnrecovered)
    }

    /// Begins to reach the console: with an existing connection, or by dialling, unless it has ended meanwhile.
    /// `discarded` is what the keeper of the connection read and discarded.
    func begin(with connection: Connection?, isHandedOver: Bool, discarded: DiscardedOutput? = nil) {
        guard let consoleLog, !isEnded else {
            return
        }
        do throws(CaptureService.OpenError) {
            try consoleLog.open()
        } catch {
            log(.warning, "\(error)")
        }
        if let discarded {
            consoleLog.countLoss(bytes: discarded.bytes, lines: discarded.lines, since: discarded.since)
        }
        if let connection {
            connected(connection, isHandedOver: isHandedOver)
        } else {
            perform { $0.begin() }
        }
    }

    var isEnded: Bool { link.state == .ended }

    var status: ConsoleHub.Status {
        ConsoleHub.Status(
            definition: definition,
            isConnected: guest != nil,
            clients: watchers.map(\.who),
            writer: writer?.who,
            passThrough: passThrough?.path,
            isStored: consoleLog?.isStored ?? false
        )
    }

    func log(_ level: DiagnosticLevel, _ message: String) {
        hub.capture.diagnostics.log(level, "console \(definition.key): \(message)")
    }

    // MARK: - Reaching the guest

    /// Carries out the actions that follow from an event.
    func perform(_ event: (inout ConsoleLink) -> [ConsoleLink.Action]) {
        for action in event(&link) {
            perform(action)
        }
    }

    private func perform(_ action: ConsoleLink.Action) {
        switch action {
        case .dial:
            hub.open(self)
        case .retry(let delay):
            retry = shard.loop.schedule(afterMicroseconds: delay) { [weak self] in
                self?.retry = nil
                self?.perform { $0.retryDue() }
            }
        case .cancelRetry:
            cancel(&retry)
        case .forgetLater:
            forgetting = shard.loop.schedule(afterMicroseconds: hub.forgetsAfter) { [weak self] in
                if let self {
                    forgetting = nil
                    link.forgettingDue()
                    hub.forget(self)
                }
            }
        case .cancelForgetting:
            cancel(&forgetting)
        case .mark(let boundary, let sinceStop):
            consoleLog?.mark(boundary, since: sinceStop ? hub.absentSince : nil)
        case .resumeInput:
            inputDrained()
        case .hangUp:
            hangUp()
        case .forgetPreviousConnection:
            hub.disconnected(definition)
        case .closeClients:
            closeWatchers { !$0.isBehind }
        case .notify(let message):
            notifyWatchers(message)
        case .warn(let message):
            log(.warning, message)
        case .report(let reason):
            hub.problems.raise(reason, of: definition)
        }
    }

    private func cancel(_ timer: inout EventLoop.TimerToken?) {
        if let token = timer {
            shard.loop.cancel(token)
        }
        timer = nil
    }

    /// The result of opening the endpoint. A connection is established when the VMM has accepted it.
    func opened(_ result: Result<Connection, SystemError>) {
        lastPipe = nil
        let endpoint = definition.endpoint
        guard link.state == .dialling, case .success(let connection) = result, connection.isPending(to: endpoint)
        else {
            return dialled(result)
        }
        do throws(SystemError) {
            pending = try PendingConnection(
                connection,
                to: endpoint,
                on: shard.loop,
                onDelay: { [unowned self] in delayed() },
                onEnd: { [unowned self] result in
                    pending = nil
                    hub.problems.note(result, of: definition)
                    dialled(result)
                }
            )
        } catch {
            dialled(.failure(error))
        }
    }

    /// The VMM does not accept the connection: it serves another client.
    private func delayed() {
        hub.problems.raiseUnaccepted(definition)
        notifyWatchers("the VMM serves another client; waiting for it to accept this console's connection")
        settleAttachments()
    }

    /// The result of dialling.
    private func dialled(_ result: Result<Connection, SystemError>) {
        switch result {
        case .success(let connection):
            if link.dialled() {
                connected(connection, isHandedOver: false)
            }
        case .failure(let error):
            perform { $0.failed(error) }
        }
        settleAttachments()
    }

    /// The path has appeared or changed: the VMM may listen there now. A pipe that waits for a writer may have been
    /// replaced by another.
    func endpointChanged() {
        if definition.endpoint.isPipe, let pending {
            lastPipe = pending.connection
            abandonPending()
        }
        perform { $0.endpointChanged() }
    }

    /// Listens on `socket` for the VMM's connection.
    func listen(on socket: ListeningSocket) {
        listener = begin(socket) { console, descriptor in
            // The newest connection is the VMM's: the end of the previous one may not have been detected.
            console.disconnected()
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
        do throws(SystemError) {
            guest = try GuestConnection(connection, console: self)
        } catch {
            let error = error.of(definition.endpoint.description, operation: "wait for")
            if isHandedOver {
                // The service manager's copy would have no reader, and the guest would wait for one.
                hub.disconnected(definition)
            }
            return perform { $0.unusable(error) }
        }
        if !definition.isOnDemand {
            hub.connected(definition, connection, isTelnet: connection.isTelnet)
        }
        let (hasLost, now) = (hub.capture.hasLostBefore, hub.capture.clock.monotonicMicroseconds())
        let wasDrained = peer.map(hub.wasDrained) ?? false
        perform { link in
            link.connected(
                to: peer,
                age: peer?.age,
                isContinuing: peer?.isContinuing ?? false,
                isHandedOver: isHandedOver,
                hasLost: hasLost,
                wasDrained: wasDrained,
                at: now
            )
        }
    }

    /// Closes the connection.
    func hangUp() {
        lastPipe = definition.endpoint.isPipe ? guest?.connection : nil
        guest?.end()
        guest = nil
        consoleLog?.mark(.boot(.closed))
        if !definition.isOnDemand {
            hub.disconnected(definition)
        }
    }

    /// The guest's end has closed, or another connection takes its place.
    func disconnected() {
        let now = hub.capture.clock.monotonicMicroseconds()
        perform { $0.disconnected(at: now) }
    }

    /// The connection's other end has turned out to be a Telnet server.
    func isTelnet() {
        log(.notice, "\(definition.endpoint) is a Telnet server: its commands are answered, and not stored")
        if !definition.isOnDemand, let connection = guest?.connection {
            hub.connected(definition, connection, isTelnet: true)
        }
    }

    /// Stores output that was read already.
    func store(_ bytes: UnsafeRawBufferPointer) {
        consoleLog?.put(bytes)
    }

    func receive(from descriptor: Int32) -> StreamIntake.Received {
        consoleLog?.receive(from: descriptor) ?? shard.receiveUnstored(from: descriptor)
    }
}
