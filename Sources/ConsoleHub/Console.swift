import Capture
import CLinux
import Glibc
import LogModel
import LogStore
import SystemIO

/// One console, on its VM's shard: the descriptor to the guest, the log, the watchers, the one who may write.
///
/// The guest's bytes go to the log and to every watcher; a writer's bytes go to the guest and nowhere else: what they
/// look like is the guest's to echo. What must wait for a file system, the hub's control thread does: opening paths,
/// making sockets, removing them.
final class Console: @unchecked Sendable {
    // Sendable because all but the lets is touched on the shard's thread alone.

    let definition: ConsoleHub.Definition
    let shard: Shard
    private unowned let hub: ConsoleHub
    /// Its log; nil when it is only to be joined.
    private let consoleLog: ConsoleLog?
    private var guest: GuestConnection?
    private var listener: ListeningSocket?
    private var passThrough: ListeningSocket?
    private var watchers: [Watcher] = []
    private var writer: Watcher?
    /// Those who wait to be told what they can do on a console on demand, until it was dialled.
    private var awaitingDial: [() -> Void] = []
    /// Why the console could not be reached, as the watchers were told.
    private var reportedFailure: SystemError?
    private var knownPeer: ProcessIdentity?
    /// Whether it has been connected since this process began, and whether nobody was found there since then.
    private var wasConnected = false
    private var wasAbsent = false
    private var connectedAt: Int64 = 0
    private var backoff = Backoff()
    private var retry: EventLoop.TimerToken?
    private var isDialling = false
    private var forgetting: EventLoop.TimerToken?
    /// Whether it was closed and cannot be reached again.
    private var isSpent = false
    private var isEnded = false

    /// A connection that lasts as long, in microseconds, is no mistake: when it ends, the next is tried at once.
    private static let settled: Int64 = 1_000_000

    init(_ definition: ConsoleHub.Definition, shard: Shard, hub: ConsoleHub) {
        self.definition = definition
        self.shard = shard
        self.hub = hub
        consoleLog = definition.isOnDemand ? nil : ConsoleLog(definition, capture: hub.capture, shard: shard)
    }

    /// Begins to be reached: with a connection that is there already, or by dialling. `discarded` is what the keeper of
    /// the connection read and threw away.
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

    private func log(_ level: DiagnosticLevel, _ message: String) {
        hub.capture.diagnostics.log(level, "console \(definition.key.name)/\(definition.key.stream): \(message)")
    }

    // MARK: - Reaching the guest

    /// Whether anybody wants it reached.
    private var isWanted: Bool { !definition.isOnDemand || !watchers.isEmpty }

    private func dial() {
        guard isWanted, definition.endpoint.isDialled, guest == nil, !isDialling, !isSpent, !isEnded else {
            return
        }
        isDialling = true
        hub.open(self)
    }

    /// What came of dialling.
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
                notifyWatchers("the console cannot be reached: \(error); it is tried again")
                reportedFailure = error
            }
            // Who has left meanwhile is seen to have, and ends the trying.
            inputDrained()
        }
        guard error.code == ENOENT else {
            retryLater("\(error)")
            return
        }
        // The folder is watched, and tells when the path appears. A VMM that is started again takes a while.
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
            log(.warning, "\(reason()); it is tried again every \(Backoff.slow / 1_000_000) s")
        }
        retry = shard.loop.schedule(afterMicroseconds: delay) { [weak self] in
            self?.retry = nil
            self?.dial()
        }
    }

    private func cancel(_ timer: inout EventLoop.TimerToken?) {
        if let token = timer {
            shard.loop.cancel(token)
        }
        timer = nil
    }

    /// The path has appeared or changed: the VMM may be there now.
    func endpointChanged() {
        backoff = Backoff()
        cancel(&retry)
        dial()
    }

    /// The VMM is to connect to `socket`.
    func listen(on socket: ListeningSocket) {
        listener = begin(socket) { console, descriptor in
            // The newest connection is the VMM's: one that restarted may not have been seen to go.
            if console.guest != nil {
                console.disconnected()
            }
            console.connected(Connection(descriptor), isHandedOver: false)
        }
    }

    /// The socket, handing out connections; nil when the console has ended meanwhile, or the loop takes no more.
    private func begin(
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

    private func connected(_ connection: Connection, isHandedOver: Bool) {
        let peer = connection.peer
        let guest: GuestConnection
        do throws(SystemError) {
            guest = try GuestConnection(connection, console: self)
        } catch {
            // A regular file, mostly, where a pipe should be.
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
        // What was typed meanwhile.
        inputDrained()
    }

    /// What comes before the first byte of a new connection, as far as the transport can tell; nil: nothing is missing.
    private func boundary(before peer: ProcessIdentity?) -> ConsoleBoundary? {
        let isSameMachine =
            if let peer, let knownPeer { peer.isSame(as: knownPeer) } else { wasConnected && !wasAbsent }
        guard !isSameMachine else {
            // What was said meanwhile the VMM has dropped, unless the path itself keeps it.
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
    private func hangUp() {
        guest?.end()
        guest = nil
        consoleLog?.mark(.boot(.closed))
        if !definition.isOnDemand {
            hub.disconnected(definition)
        }
    }

    /// The guest's end is closed.
    func disconnected() {
        guard guest != nil else {
            return
        }
        hangUp()
        // What nobody takes any more keeps no writer waiting.
        inputDrained()
        let reconnectPolicy = definition.endpoint.reconnectPolicy
        guard reconnectPolicy != .never else {
            isSpent = true
            closeWatchers { !$0.isBehind }
            return
        }
        notifyWatchers("the console was closed; waiting for it to come back; what is typed until then is dropped")
        if hub.capture.clock.monotonicMicroseconds() - connectedAt >= Self.settled {
            backoff = Backoff()
        }
        if definition.endpoint.isDialled, reconnectPolicy == .retry {
            retryLater("\(definition.endpoint.description) is closed as soon as it is opened")
        }
    }

    /// The guest has said `bytes`.
    func output(_ bytes: UnsafeRawBufferPointer) {
        for watcher in watchers {
            watcher.send(bytes)
        }
    }

    func receive(from descriptor: Int32) -> StreamIntake.Received {
        consoleLog?.receive(from: descriptor) ?? shard.receiveUnstored(from: descriptor)
    }

    /// What a console leaves behind when it ends.
    struct TeardownResult: Sendable {
        /// The descriptor that leads to the guest, when it is to be passed on.
        var descriptor: Int32?
        /// Sockets whose files are to be removed.
        var sockets: [ListeningSocket]
    }

    /// Closes the console for good, and tells those who watch why.
    func end(_ reason: String) -> TeardownResult {
        if guest != nil {
            hangUp()
        }
        return TeardownResult(descriptor: nil, sockets: release(reason))
    }

    /// Lets go without a mark: the next process goes on, with the descriptor when it `isPassedOn`. Else the connection is
    /// closed, once all that the guest's side was rid of has been read.
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

    // MARK: - Watchers

    /// Attaches a client, and leaves a record of who that is, and of what they may do. `onAttached` is called as
    /// `ConsoleHub.attach` tells.
    func attach(
        _ descriptor: consuming Descriptor,
        as role: WatcherRole,
        who: String,
        slot: SocketSessions.Slot? = nil,
        _ onAttached: @escaping (ConsoleHub.Attachment?) -> Void = { _ in }
    ) {
        let watcher = Watcher(descriptor, who: who, slot: slot, console: self)
        guard !isEnded, watcher.begin() else {
            onAttached(nil)
            return
        }
        watchers.append(watcher)
        if definition.isOnDemand {
            reportedFailure = nil
            dial()
        } else if guest == nil {
            watcher.notify(
                "\(definition.key.name) is not connected; waiting for it; what is typed until then is dropped"
            )
        }
        let refusal = admit(watcher, as: role)
        let report = { [unowned self] in
            onAttached(isEnded ? nil : ConsoleHub.Attachment(refusal: refusal, isConnected: guest != nil))
        }
        if isDialling, definition.isOnDemand {
            awaitingDial.append(report)
        } else {
            report()
        }
    }

    private func settleAttachments() {
        let waiting = awaitingDial
        awaitingDial = []
        waiting.forEach { $0() }
    }

    /// Lets the watcher write, if it asks for that and may; otherwise returns why not.
    private func admit(_ watcher: Watcher, as role: WatcherRole) -> String? {
        let who = watcher.who
        guard role != .watch else {
            log(.notice, "\(who) watches")
            return "watching only"
        }
        guard definition.endpoint.takesInput else {
            let refusal = "a named pipe carries nothing to the guest"
            watcher.notify(refusal + "; you are watching")
            log(.notice, "\(who) watches: nothing can be typed on a named pipe")
            return refusal
        }
        if let writer {
            guard role == .steal else {
                let refusal = "\(writer.who) is writing"
                watcher.notify(refusal + "; you are watching")
                log(.notice, "\(who) watches: \(refusal)")
                return refusal
            }
            writer.notify("\(who) has taken over; you are watching")
            inputDrained()
            log(.notice, "\(who) writes, taking over from \(writer.who)")
        } else {
            log(.notice, "\(who) writes")
        }
        writer = watcher
        watcher.pauseInput(definition.isOnDemand && guest == nil)
        return nil
    }

    func drop(_ watcher: Watcher) {
        log(.info, "\(watcher.who) has left")
        watcher.end()
        watchers.removeAll { $0 === watcher }
        if writer === watcher {
            writer = nil
        }
        hangUpUnlessWanted()
    }

    /// Leaves the console to others when nobody is on it any more, and the guest has what was typed.
    private func hangUpUnlessWanted() {
        guard !isWanted else {
            return
        }
        cancel(&retry)
        backoff = Backoff()
        if let guest, !guest.isCongested {
            hangUp()
        }
    }

    /// A watcher has typed `bytes`; only the writer's reach the guest.
    func input(_ bytes: UnsafeRawBufferPointer, from watcher: Watcher) {
        guard watcher === writer else {
            return
        }
        guest?.send(bytes)
        watcher.pauseInput(guest?.isCongested ?? false)
    }

    /// The guest takes what is typed.
    func inputDrained() {
        writer?.pauseInput(false)
        hangUpUnlessWanted()
    }

    /// Closes the connections of those watchers for whom there is nothing more.
    private func closeWatchers(where isDone: (Watcher) -> Bool) {
        watchers.filter(isDone).forEach { $0.end() }
        watchers.removeAll(where: isDone)
        writer = nil
    }

    private func notifyWatchers(_ message: String) {
        for watcher in watchers {
            watcher.notify(message)
        }
    }

    // MARK: - Pass-through

    /// Offers a socket of our own to other programs: the VMM's serves one client, and that is us.
    func passThrough(by socket: ListeningSocket) {
        passThrough = begin(socket) { console, descriptor in
            let peer = try? UnixSocket.peer(of: descriptor.raw)
            let who = peer.map { "user \($0.user) (process \($0.process))" } ?? "somebody"
            console.attachBySocket(descriptor, who: who)
        }
    }

    private func attachBySocket(_ descriptor: consuming Descriptor, who: String) {
        let slot: SocketSessions.Slot
        do throws(SessionLimitReached) {
            slot = try hub.socketSessions.acquireSlot(beside: watchers.count { $0.slot != nil })
        } catch {
            Watcher.notify("\(error.message): end one, or use guestlog console \(definition.key.name)", by: descriptor)
            log(.info, "\(who) is refused: \(error.message)")
            return
        }
        attach(descriptor, as: .write, who: who, slot: slot)
    }
}
