import Capture
import Glibc
import LogModel
import LogStore
import Synchronization
import SystemIO

// ConsoleHub: how to reach a console, and who else is on it.
//
// `ConsoleHub` knows all consoles. A `Console` lives on its VM's shard: it holds the one descriptor that leads to the
// guest, drains it into `StreamIntake`, hands every byte to its `Watcher`s, and lets one of them write. `Endpoint` is
// the kind of place a console is found at, `EndpointOpener` opens what lies there, `Discovery` finds consoles in watched
// folders, `ConsoleTable` carries the descriptors over our own restarts.

/// All consoles of this host.
public final class ConsoleHub: Sendable {
    /// How the hub is set up.
    public struct Options: Sendable {
        /// Where consoles are found by themselves.
        public var patterns: [DiscoveryPattern]
        /// The folder in which other programs find a socket per console; nil: none are offered.
        public var passThroughFolder: String?
        /// How long a console that was found in a watched folder stays when it has gone from there, in microseconds.
        public var forgetsAfter: Int64 = 60_000_000
        /// A process that is older than this when its console is connected to for the first time, in microseconds, has been
        /// running its machine for a while: no boot is told then.
        public var joinAge: Int64 = 10_000_000
        /// Whether a console may be served by this very process. Otherwise that is a mistake, or an attempt to read one
        /// console as another.
        public var acceptsOwnProcess = false
        /// Most consoles that are captured at once. By default as many as half of the process's descriptors allow: each has
        /// its connection, the socket that is offered to other programs, and for a moment one more.
        public var consoleLimit = max(4, (DescriptorLimit.current / 2 - 64) / 3)
        /// Most sessions by the consoles' own sockets at once. By default a sixteenth of the process's descriptors.
        public var socketSessionLimit = max(4, DescriptorLimit.current / 16)
        /// The folder that remembers what each handed-over descriptor is.
        public var table: String

        /// Options from their parts.
        public init(patterns: [DiscoveryPattern] = [], passThroughFolder: String? = nil, table: String) {
            self.patterns = patterns
            self.passThroughFolder = passThroughFolder
            self.table = table
        }
    }

    /// How one console stands.
    public struct Status: Hashable, Sendable {
        /// What it was told to be.
        public var definition: Definition
        /// Whether somebody is at the other end.
        public var isConnected: Bool
        /// How many watch.
        public var watchers: Int
        /// Who may write; nil: nobody does.
        public var writer: String?
        /// The socket offered to other programs.
        public var passThrough: String?
        /// Whether the stream is stored by this console; false when it is captured another way.
        public var isStored: Bool
    }

    private struct State {
        var consoles = ConsoleRegistry()
        /// Descriptors that came over from before, by the name they were stored under.
        var inherited: [String: Int32] = [:]
        /// What their keeper read of them and threw away, by that name.
        var discarded: [String: DiscardedOutput] = [:]
        /// When the daemon before was last there to drain the consoles.
        var absentSince: Int64?
        /// Consoles that are not captured because there are as many as there can be.
        var surplus: [StreamKey: Definition] = [:]
    }

    let capture: CaptureService
    private let manager: ServiceManager
    private let table: ConsoleTable
    private let state = Mutex(State())
    /// The thread of everything that is not a console's bytes: folders, paths, the table, the service manager. It may
    /// have to wait for a file system; the shards never wait for it.
    let control: EventLoop
    private let controlThread = Mutex<WorkerThread?>(nil)
    private let controlEnded = OneShot()
    private let discovery: Discovery
    private let opener: EndpointOpener
    private let problems: ConsoleProblems
    private let patterns: [DiscoveryPattern]
    private let passThroughFolder: String?
    let forgetsAfter: Int64
    let joinAge: Int64
    private let consoleLimit: Int
    let socketSessions: SocketSessions

    /// A hub that feeds `capture`. Descriptors that were passed in are given with `inherit` before `start()`.
    public init(_ options: Options, capture: CaptureService, manager: ServiceManager) throws(SystemError) {
        self.capture = capture
        self.manager = manager
        control = try EventLoop(clock: capture.clock)
        table = ConsoleTable(in: options.table)
        discovery = try Discovery(loop: control, diagnostics: capture.diagnostics)
        opener = EndpointOpener(ownFolder: options.passThroughFolder, acceptsOwnProcess: options.acceptsOwnProcess)
        problems = ConsoleProblems(capture.problems, capture.diagnostics)
        patterns = options.patterns
        passThroughFolder = options.passThroughFolder
        forgetsAfter = options.forgetsAfter
        joinAge = options.joinAge
        consoleLimit = options.consoleLimit
        socketSessions = SocketSessions(total: options.socketSessionLimit)
    }

    /// Takes a descriptor that an earlier process left with the service manager; whether it is one of ours.
    public func inherit(_ name: String, _ descriptor: consuming Descriptor) -> Bool {
        guard name.hasPrefix(ConsoleTable.prefix) else {
            return false
        }
        let raw = descriptor.release()
        state.withLock { $0.inherited[name] = raw }
        return true
    }

    /// Takes what the keeper of the descriptors read of them and threw away while no daemon drained them, by their names.
    public func takeDiscarded(_ discarded: [String: DiscardedOutput]) {
        state.withLock { $0.discarded = discarded }
    }

    /// Begins: consoles that came over go on at once, as they are told to be now; those in `named` follow, then folders
    /// are looked through.
    public func start(_ named: [Definition] = []) throws(SystemError) {
        adoptInherited(named)
        try follow(named)
    }

    /// The first part of `start`, for a daemon that has more to do before it may look for consoles: those that came over
    /// go on, and are drained.
    public func adoptInherited(_ named: [Definition]) {
        let known: [ConsoleTable.Entry] = table.load()
        let lastTurn = [capture.lastTurnBefore, table.stoppedBefore].compactMap(\.self).max()
        state.withLock { $0.absentSince = lastTurn }
        for entry in known {
            guard let raw = state.withLock({ $0.inherited.removeValue(forKey: entry.descriptorName) }) else {
                continue
            }
            let connection = Connection(Descriptor(owning: raw), peer: entry.peer)
            let discarded = state.withLock { $0.discarded.removeValue(forKey: entry.descriptorName) }
            add(
                currentDefinition(for: entry.definition, named),
                with: connection,
                isHandedOver: true,
                discarded: discarded
            )
        }
        let unknownDescriptors = state.withLock { state in
            defer { state.inherited.removeAll() }
            return state.inherited
        }
        for (name, raw) in unknownDescriptors {
            manager.notify("FDSTOREREMOVE=1\nFDNAME=\(name)")
            close(raw)
        }
    }

    /// When the daemon before was last there, in microseconds since the Unix epoch; nil: nobody knows.
    var absentSince: Int64? { state.withLock { $0.absentSince } }

    /// The second part of `start`: the consoles in `named` are reached, then those that are found in folders.
    public func follow(_ named: [Definition]) throws(SystemError) {
        discovery.onFound = { [weak self] definition in self?.add(definition) }
        discovery.onChanged = { [weak self] path in self?.endpointChanged(path) }
        discovery.onGone = { [weak self] path in self?.endpointGone(path) }
        named.forEach { add($0) }
        let (control, discovery, patterns) = (control, discovery, patterns)
        let droppedPaths = table.droppedEndpoints.compactMap(\.path)
        control.post {
            discovery.setPatterns(patterns)
            droppedPaths.forEach(discovery.follow)
            discovery.begin()
        }
        let thread = try WorkerThread(name: "gl-hub") { [controlEnded] in
            control.run()
            controlEnded.signal()
        }
        controlThread.withLock { $0 = thread }
    }

    /// What the console that `past` told of is told to be now: its plain file or its rate may have changed.
    private func currentDefinition(for past: Definition, _ named: [Definition]) -> Definition {
        let found = past.isDiscovered ? patterns.compactMap { $0.definition(like: past) } : []
        return (named + found).first { $0.key == past.key && $0.endpoint == past.endpoint } ?? past
    }

    /// Lets go of all consoles. When they are `passedOn` their descriptors, by the names they are stored under, are the
    /// caller's now: to be passed on to a new image, or closed, and then the service manager has them still. Else the
    /// connections are closed, and all that was written to them is read before.
    @discardableResult
    public func stop(passedOn: Bool = false) -> [(name: String, descriptor: Int32)] {
        var passed: [(name: String, descriptor: Int32)] = []
        var sockets: [ListeningSocket] = []
        for console in state.withLock({ $0.consoles.all }) {
            let result = console.shard.loop.perform { console.suspend(isPassedOn: passedOn) }
            sockets += result.sockets
            if let descriptor = result.descriptor {
                passed.append((ConsoleTable.descriptorName(of: console.definition.key), descriptor))
            }
        }
        table.noteStopped(capture.clock.wallMicroseconds())
        sockets.forEach { $0.removeFile() }
        control.stop()
        // A folder that hangs keeps the thread: it ends with the process.
        if controlEnded.wait(seconds: Self.stopLimit) {
            controlThread.withLock { thread in
                thread?.join()
                thread = nil
            }
        }
        return passed
    }

    /// How long the control thread is waited for at the end, in seconds.
    private static let stopLimit = 2

    /// Watches other folders from now on; consoles known already stay.
    public func setPatterns(_ patterns: [DiscoveryPattern]) {
        problems.clearConflicts { _ in true }
        control.post { [discovery] in
            discovery.setPatterns(patterns)
            discovery.begin()
        }
    }

    /// What came of adding a console.
    public enum AddResult: Hashable, Sendable {
        /// It is new.
        case new
        /// It is not captured, because another is.
        case conflict(ConsoleConflict)
        /// There are as many consoles as there can be: it is captured when another one goes.
        case full
        /// It was found where one was dropped.
        case dropped
    }

    /// Adds a console, unless it conflicts with one that is captured: that is a problem, and said. One that was dropped
    /// may be found as often as it likes; named by hand, it is captured again.
    @discardableResult
    public func add(_ definition: Definition) -> AddResult {
        if !definition.isDiscovered {
            setDropped(definition.endpoint, false)
        }
        return add(definition, with: nil)
    }

    /// Why a console cannot be added now; nil when it can.
    public func conflict(with definition: Definition) -> ConsoleConflict? {
        state.withLock { Self.conflict(of: definition, in: $0) }
    }

    /// One that is only to be joined gives way to one that is to be captured.
    private static func conflict(of definition: Definition, in state: State) -> ConsoleConflict? {
        state.consoles.conflicts(with: definition)
            .first { definition.isOnDemand || !$0.console.definition.isOnDemand }?.conflict
    }

    /// Adds the console behind a descriptor that is open already, such as a child's output; it is not connected again
    /// when it ends. `writer`, when given, is attached as the one who may write, under the name `who`, before anything
    /// is read: it gets every byte from the first on, and is closed after the last.
    public func add(
        _ definition: Definition,
        descriptor: consuming Descriptor,
        writer: consuming Descriptor? = nil,
        who: String = ""
    ) {
        let raw = writer?.release()
        _ = add(definition, with: Connection(descriptor)) { console in
            if let raw {
                console.attach(Descriptor(owning: raw), as: .write, who: who)
            }
        }
    }

    @discardableResult
    private func add(
        _ definition: Definition,
        with connection: Connection?,
        isHandedOver: Bool = false,
        discarded: DiscardedOutput? = nil,
        _ onBegin: @escaping @Sendable (Console) -> Void = { _ in }
    ) -> AddResult {
        let shard = capture.shard(of: definition.key.vm)
        let console = Console(definition, shard: shard, hub: self)
        var displaced: [Console] = []
        let added = state.withLock { [consoleLimit] state in
            if let conflict = Self.conflict(of: definition, in: state) {
                return AddResult.conflict(conflict)
            }
            if definition.isDiscovered, table.isDropped(definition.endpoint) {
                return .dropped
            }
            // One that is handed over has its descriptor already.
            guard definition.isOnDemand || connection != nil || state.consoles.capturedCount < consoleLimit else {
                state.surplus[definition.key] = definition
                return .full
            }
            state.surplus[definition.key] = nil
            displaced = state.consoles.conflicts(with: definition).map(\.console)
            displaced.forEach { state.consoles.remove($0) }
            state.consoles.insert(console)
            return .new
        }
        if case .conflict(let conflict) = added {
            problems.raise(conflict, of: definition)
        }
        if added == .full {
            problems.raise(limit: consoleLimit, of: definition)
        }
        displaced.forEach { end($0, "this console is captured from now on; join it again") }
        guard added == .new else {
            return added
        }
        let knownPeer = isHandedOver ? connection?.peer : table.peer(of: definition.key)
        problems.clearConflicts { $0 == definition.endpoint }
        shard.loop.post {
            console.begin(
                with: connection,
                knownPeer: knownPeer,
                isHandedOver: isHandedOver,
                discarded: discarded
            )
            onBegin(console)
        }
        control.post { [weak self] in
            if isHandedOver {
                self?.opener.claim(definition)
            }
            self?.prepare(console)
        }
        return .new
    }

    /// Drops a console: its connection is closed, its log stays, and it is not found anew before its path has gone.
    /// False when there is none.
    public func remove(_ key: StreamKey) -> Bool {
        guard let console = state.withLock({ $0.consoles[key] }) else {
            return false
        }
        end(console, "guestlog has let go of this console", isDropped: console.definition.isDiscovered)
        return true
    }

    /// Drops the console of this very definition, if there is one; it may be found again at once.
    public func remove(_ definition: Definition) {
        let console = state.withLock { $0.consoles[definition.key] }
        if let console, console.definition == definition {
            end(console, "the VM is gone")
        }
    }

    private func setDropped(_ place: Endpoint, _ isDropped: Bool) {
        if table.setDropped(place, isDropped) {
            control.post { [table] in table.noteDropped() }
        }
    }

    private func end(_ console: Console, _ reason: String, isDropped: Bool = false) {
        discard(console.shard.loop.perform { console.end(reason) }.sockets)
        control.post { [opener, problems] in
            opener.release(console.definition.key)
            problems.clear(of: console.definition)
        }
        // Last, so that a console that takes its place makes its sockets after these have gone.
        state.withLock { state in
            if isDropped {
                setDropped(console.definition.endpoint, true)
            }
            state.consoles.remove(console)
        }
        addSurplus()
    }

    /// Adds a console for which there was no descriptor before, if one waits.
    private func addSurplus() {
        let next = state.withLock { state in
            state.consoles.capturedCount < consoleLimit ? state.surplus.popFirst()?.value : nil
        }
        if let next {
            problems.clear(of: next)
            add(next, with: nil)
        }
    }

    /// What all consoles are told to be, by name. Waits for no other thread.
    public func definitions() -> [Definition] {
        state.withLock { $0.consoles.all.map(\.definition) }
            .sorted { ($0.key.name, $0.key.stream) < ($1.key.name, $1.key.stream) }
    }

    /// How all consoles stand, by name, or those that are wanted. Asks each console's shard, one after another.
    public func statuses(where isWanted: (Definition) -> Bool = { _ in true }) -> [Status] {
        state.withLock { $0.consoles.all }
            .filter { isWanted($0.definition) }
            .map { console in console.shard.loop.perform { console.status } }
            .sorted {
                ($0.definition.key.name, $0.definition.key.stream) < ($1.definition.key.name, $1.definition.key.stream)
            }
    }

    /// What a client that was attached to a console can do there.
    public struct Attachment: Hashable, Sendable {
        /// Why what the client types does not reach the guest; nil when it does.
        public var refusal: String?
        /// Whether the guest's end is connected.
        public var isConnected: Bool
    }

    /// Attaches a client to a console: from now on `descriptor` gets its bytes, and, if it may write, gives it theirs.
    /// `onAttached` is called on the console's thread once it is known what the client can do there, of a console on
    /// demand once it was reached or could not be; with nil when the console has ended meanwhile.
    ///
    /// False when there is no such console; the descriptor is closed then, and `onAttached` is not called.
    public func attach(
        _ key: StreamKey,
        _ descriptor: consuming Descriptor,
        as role: WatcherRole,
        who: String,
        _ onAttached: @escaping @Sendable (Attachment?) -> Void = { _ in }
    ) -> Bool {
        let raw = descriptor.release()
        guard let console = state.withLock({ $0.consoles[key] }) else {
            close(raw)
            return false
        }
        console.shard.loop.post { console.attach(Descriptor(owning: raw), as: role, who: who, onAttached) }
        return true
    }

    private func endpointGone(_ path: String) {
        for place in table.droppedEndpoints where Bytewise(place.path) == Bytewise(path) {
            setDropped(place, false)
        }
        problems.clearConflicts { Bytewise($0.path) == Bytewise(path) }
    }

    private func endpointChanged(_ path: String) {
        for console in state.withLock({ $0.consoles.all })
        where Bytewise(console.definition.endpoint.watchedPath) == Bytewise(path) {
            console.shard.loop.post { console.endpointChanged() }
        }
    }

    // MARK: - What consoles leave to the control thread

    /// Makes a console's sockets, and watches for its path.
    private func prepare(_ console: Console) {
        let definition = console.definition
        if case .listen(let path) = definition.endpoint {
            do throws(SystemError) {
                let socket = try ListeningSocket(path: path)
                console.shard.loop.post { console.listen(on: socket) }
            } catch {
                capture.diagnostics.log(.error, "console \(definition.key.name): \(error)")
            }
        }
        if let path = passThroughPath(of: definition.key) {
            do throws(SystemError) {
                let socket = try ListeningSocket(path: path)
                console.shard.loop.post { console.passThrough(by: socket) }
            } catch {
                capture.diagnostics.log(.warning, "console \(definition.key.name): no socket for others: \(error)")
            }
        }
        if let watched = definition.endpoint.watchedPath {
            discovery.follow(watched)
        }
    }

    private func passThroughPath(of key: StreamKey) -> String? {
        let stream = key.stream == .console0 ? "" : "." + key.stream.text
        let identity = VMIdentity(name: key.name, namespace: key.namespace)
        return passThroughFolder.map { $0 + "/" + identity.directoryName + stream + ".sock" }
    }

    /// Opens a console's path, and tells it what came of it.
    func open(_ console: Console) {
        control.post { [opener, problems] in
            let result = Result { () throws(SystemError) in try opener.open(console.definition) }
            problems.note(result, of: console.definition)
            console.shard.loop.post { console.dialled(result) }
        }
    }

    /// Forgets a console that was found in a watched folder and has been gone for a while, unless its path is back: no
    /// VM that ever was stays listed for good.
    func forget(_ console: Console) {
        control.post { [weak self] in
            guard let self, let path = console.definition.endpoint.path, access(path, F_OK) != 0 else {
                return
            }
            end(console, "the VM is gone")
            discovery.unfollow(path)
        }
    }

    /// Removes the files of sockets that have ended.
    func discard(_ sockets: [ListeningSocket]) {
        control.post { sockets.forEach { $0.removeFile() } }
    }

    /// A console is connected: the descriptor is left with the service manager, in case this process dies.
    func connected(_ definition: Definition, _ connection: Connection) {
        control.post { [manager, table] in
            let name = ConsoleTable.descriptorName(of: definition.key)
            table.put(ConsoleTable.Entry(descriptorName: name, definition: definition, peer: connection.peer))
            // Without FDPOLL=0 the manager would let go of a console whose VMM is gone before we know.
            manager.notify("FDSTORE=1\nFDPOLL=0\nFDNAME=\(name)", descriptors: [connection.descriptor.raw])
        }
    }

    /// A console's connection has ended: the service manager may forget it.
    func disconnected(_ definition: Definition) {
        control.post { [manager, table, opener] in
            opener.release(definition.key)
            let name = ConsoleTable.descriptorName(of: definition.key)
            table.disconnected(definition.key)
            manager.notify("FDSTOREREMOVE=1\nFDNAME=\(name)")
        }
    }
}
