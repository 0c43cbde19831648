// SPDX-License-Identifier: Apache-2.0

// GuestCollector: receives what guests log themselves, and stores it in streams of their VMs.
//
// `GuestCollector` listens and dials (`GuestDialer`), identifies each guest by its transport (`GuestIdentity`), and gives
// the connection (`CollectorConnection`) a conversation for its protocol (`Conversation`). The conversation's records
// pass the guest's rate (`RecordIngest`) into one of its logs (`GuestLog`), which stores each numbered record once.
//
// Everything lives on one thread of its own, so a guest can delay other guests, but no console.

public import Capture
public import LogModel
import Glibc
import Synchronization
import SystemIO

/// The collector of `guestlog serve`.
public final class GuestCollector: @unchecked Sendable {
    // Sendable because everything mutable is touched on the loop's thread only.

    let options: CollectorOptions
    let capture: CaptureService
    let loop: EventLoop
    private let identify: @Sendable (UInt32) -> VMIdentity?
    private var thread: WorkerThread?
    private var listeners: [CollectorListener] = []
    /// Whether the list of listeners for other threads is to be made anew; `start` makes it first.
    private var hasNewListeners = true
    /// Listening sockets of the service manager, or of the previous process, that are not in use yet, by the hashes of
    /// their listeners' names.
    var inherited: [UInt64: InheritedListener] = [:]
    /// The paths of sockets whose files a stop leaves: other processes have the sockets too.
    var keptFiles: Set<String> = []
    private var idleTimer: EventLoop.TimerToken?
    /// Called on the collector's thread when no guest has been connected for `CollectorOptions.idleLimit`.
    private let onIdle: @Sendable () -> Void
    /// Finds guests by the paths of their sockets.
    let discovery: PathDiscovery
    var patterns: [CollectorOptions.Pattern] = []
    /// The guests that were found, by the paths.
    var found: [String: CollectorOptions.Guest] = [:]
    /// What is open for the guests of the configuration, and those that were found.
    var endpoints: [CollectorOptions.Endpoint: OpenEndpoint] = [:]
    private(set) var guests: [VMIdentity: GuestState] = [:]
    private var connections: [ObjectIdentifier: CollectorConnection] = [:]
    private var memory: ReceiveBudget<VMIdentity, ObjectIdentifier>
    var known: [UInt32: VMIdentity] = [:]
    private let snapshot = Mutex(Snapshot())

    /// What is open, for any thread. It is kept by each change, so that a connection costs the same with many guests.
    private struct Snapshot {
        var listeners: [String] = []
        var listings = 0
        var connections = 0
        var guests: Set<VMIdentity> = []
    }

    /// What a connection is for.
    enum Purpose {
        case logs
        case notify
        /// A stream of bytes for the life of the VM, with the agent at its other end.
        case serial
        /// Lines of any program.
        case lines
    }

    /// A collector for `capture`. `identify` finds the VM of a context id that the options do not name. It may be called
    /// on the collector's thread at any time, and must not block. `onIdle` is called there when no guest has been
    /// connected for the options' time.
    public init(
        _ options: CollectorOptions,
        capture: CaptureService,
        identify: @escaping @Sendable (UInt32) -> VMIdentity? = { _ in nil },
        onIdle: @escaping @Sendable () -> Void = {}
    ) throws(SystemError) {
        self.options = options
        self.onIdle = onIdle
        memory = ReceiveBudget(limit: options.memory)
        self.capture = capture
        self.identify = identify
        loop = try EventLoop(clock: capture.clock)
        discovery = try PathDiscovery(
            of: "guests' sockets",
            on: loop,
            diagnostics: capture.diagnostics,
            problems: capture.problems
        )
    }

    /// The loop, for a watchdog.
    public var eventLoop: EventLoop { loop }

    /// Its state, for any thread.
    public var state: CollectorSummary {
        let snapshot = snapshot.withLock { $0 }
        return CollectorSummary(
            listeners: snapshot.listeners.sorted(),
            connections: snapshot.connections,
            guests: snapshot.guests.map(\.name).sorted()
        )
    }

    /// Begins to listen and to dial.
    public func start() throws(SystemError) {
        listenForContexts()
        follow(options.guests, options.patterns)
        reportUnused()
        updateListeners()
        noteIdleness()
        let loop = loop
        thread = try WorkerThread(name: "gl-collector") { loop.run() }
    }

    /// Stops: what guests have sent by now is read and given to the store. To be called before capture stops.
    ///
    /// The files of sockets that were inherited, or are passed on, are left.
    public func stop() {
        guard let thread else {
            return
        }
        loop.perform { [self] in
            // Who has connected already is served.
            for listener in sockets {
                (0..<options.limits.connections).forEach { _ in listener.handle(.readable) }
            }
            listeners.forEach { $0.end() }
            endpoints.values.forEach { $0.close(keeping: keptFiles) }
            (listeners, endpoints) = ([], [:])
        }
        for _ in 0..<Self.drainSteps {
            guard !loop.perform({ [self] in drain() }) else {
                break
            }
            WorkerThread.pause(microseconds: Self.drainStep)
        }
        loop.perform { [self] in
            connections.values.forEach { $0.end(nil) }
            guests.values.forEach { $0.close() }
            guests = [:]
        }
        loop.stop()
        thread.join()
        self.thread = nil
    }

    /// How long a stop waits for the store to take what guests have sent.
    private static let drainSteps = 100
    private static let drainStep: UInt32 = 10_000

    private func drain() -> Bool {
        connections.values.map { $0.drain() }.allSatisfy { $0 }
    }

    // MARK: - Listeners

    private func listenForContexts() {
        for (port, purpose) in [(options.port, Purpose.logs), (options.notifyPort, .notify)] {
            guard let port else {
                continue
            }
            let listener = listen(Self.name(ofPort: port)) { () throws(SystemError) in
                try VsockSocket.listen(port: port)
            } onConnection: { [unowned self] socket in
                guard let context = VsockSocket.peer(of: socket.raw) else {
                    return
                }
                serve(socket, of: guest(of: context), for: purpose)
            }
            listeners.append(listener)
        }
    }

    /// The guest of a context, in the network namespace of the listener, which is this process's.
    private func guest(of context: UInt32) -> GuestIdentity {
        guard let vm = known[context] ?? identify(context) else {
            let unknown = GuestIdentity.unknown(context: context)
            capture.diagnostics.log(
                .warning,
                "a guest connected from CID \(context), which belongs to no known VM; its records are stored as VM "
                    + "\(unknown.vm.name) in the namespace \(GuestIdentity.unknownNamespace)"
            )
            return unknown
        }
        return GuestIdentity(vm: vm, transport: "CID \(context)")
    }

    // MARK: - Connections

    private func state(of vm: VMIdentity) -> GuestState {
        if let guest = guests[vm] {
            return guest
        }
        let guest = GuestState(vm, capture: capture, loop: loop, limits: options.limits)
        guests[vm] = guest
        return guest
    }

    func serve(
        _ socket: consuming Descriptor,
        of identity: GuestIdentity,
        for purpose: Purpose,
        dialer: GuestDialer? = nil
    ) {
        let start = SystemClock.threadNanoseconds()
        let guest = state(of: identity.vm)
        defer { guest.spend(since: start) }
        guard !guest.isExhausted else {
            // Closed here, like the next ones.
            guest.logFault("guest \(identity) keeps the collector too busy; its new connection is closed")
            dialer?.noteEnd(wasUseful: false)
            return
        }
        guard guest.connections.count < options.limits.connections || endSilent(of: guest) else {
            // Closed here: the guest has as many as it may.
            guest.logFault(
                "guest \(identity) opens more than \(options.limits.connections) connections; the newest is closed"
            )
            dialer?.noteEnd(wasUseful: false)
            return
        }
        if let timer = guest.idleTimer {
            loop.cancel(timer)
            guest.idleTimer = nil
        }
        let connection = CollectorConnection(
            socket,
            of: guest,
            isAccepted: dialer == nil,
            on: loop,
            clock: capture.clock
        ) { [unowned self] connection, bytes in
            try conversation(of: guest, on: connection, for: purpose, beginning: bytes)
        } onMemory: { [weak self] connection, size in
            self?.note(size, of: connection, guest)
        } onEnd: { [weak self] connection, error in
            self?.noteEnd(of: connection, guest, identity, error, dialer)
        }
        guest.connections.append(connection)
        connections[ObjectIdentifier(connection)] = connection
        noteConnections(of: guest)
        connection.begin()
    }

    /// Ends the accepted connection of a guest that has been silent for longest, if it has been for long. A guest that is
    /// reset leaves its connections open, and nothing reports that their peers are gone. Returns whether there was one.
    private func endSilent(of guest: GuestState) -> Bool {
        let latest = capture.clock.monotonicMicroseconds() - Self.silence
        let silent = guest.connections.filter { $0.isAccepted && $0.isIdle && $0.lastReceived <= latest }
        let oldest = silent.min { $0.lastReceived < $1.lastReceived }
        oldest?.end(SilentPeer.sendsNothing)
        return oldest != nil
    }

    /// How long a connection must have been silent to be ended for another, in microseconds: an agent that is there
    /// connects again, and loses nothing.
    private static let silence: Int64 = 60_000_000

    /// A connection has so much in memory.
    private func note(_ size: Int, of connection: CollectorConnection, _ guest: GuestState) {
        memory.set(size, of: ObjectIdentifier(connection), owner: guest.vm)
        while let excess = memory.excess, let largest = connections[excess] {
            largest.end(MemoryExceeded(limit: memory.limit))
        }
    }

    private func noteEnd(
        of connection: CollectorConnection,
        _ guest: GuestState,
        _ identity: GuestIdentity,
        _ error: (any Error)?,
        _ dialer: GuestDialer?
    ) {
        if let error {
            guest.logFault("guest \(identity) is disconnected: \(error)")
        }
        guest.connections.removeAll { $0 === connection }
        connections[ObjectIdentifier(connection)] = nil
        memory.set(0, of: ObjectIdentifier(connection), owner: guest.vm)
        closeWhenIdle(guest)
        noteConnections(of: guest)
        dialer?.noteEnd(wasUseful: connection.hasReceived)
    }

    /// Closes what is open for a guest without a connection, when none has come for the options' time. Which of its records
    /// are stored is known again when its streams are opened again: that is their source position.
    private func closeWhenIdle(_ guest: GuestState) {
        guard guest.connections.isEmpty, guests[guest.vm] === guest else {
            return
        }
        guest.idleTimer = loop.schedule(afterMicroseconds: options.guestIdleLimit) { [weak self] in
            guest.close()
            self?.guests[guest.vm] = nil
        }
    }

    /// The sockets that listen.
    var sockets: [ListeningSocket] { (listeners + endpoints.values.flatMap(\.listeners)).compactMap(\.socket) }

    private func noteIdleness() {
        guard let limit = options.idleLimit else {
            return
        }
        if let idleTimer {
            loop.cancel(idleTimer)
        }
        idleTimer = nil
        guard connections.isEmpty else {
            return
        }
        idleTimer = loop.schedule(afterMicroseconds: limit) { [weak self] in
            self?.idleTimer = nil
            self?.onIdle()
            self?.noteIdleness()
        }
    }

    private func noteConnections(of guest: GuestState) {
        noteIdleness()
        snapshot.withLock { snapshot in
            snapshot.connections = connections.count
            if guest.connections.isEmpty {
                snapshot.guests.remove(guest.vm)
            } else {
                snapshot.guests.insert(guest.vm)
            }
        }
    }

    /// A listener has changed. Their list is made once for many changes.
    func noteListeners() {
        guard !hasNewListeners else {
            return
        }
        hasNewListeners = true
        loop.post { [weak self] in self?.updateListeners() }
    }

    private func updateListeners() {
        hasNewListeners = false
        let paths = sockets.map(\.path)
        snapshot.withLock { snapshot in
            snapshot.listeners = paths
            snapshot.listings += 1
        }
    }

    /// How many times the list was made; only tests ask.
    var listings: Int { snapshot.withLock { $0.listings } }
}
