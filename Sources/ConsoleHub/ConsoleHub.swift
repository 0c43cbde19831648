// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import Synchronization
import SystemIO

// ConsoleHub: how consoles are reached and shared.
//
// `ConsoleHub` holds all consoles. A `Console` lives on its VM's shard: it holds the one connection to the guest,
// drains it into `StreamIntake`, passes every byte to its `Watcher`s, and lets one of them write. `Endpoint` is the
// kind of address of a console, `EndpointOpener` opens it, `Discovery` finds consoles in watched folders,
// `ConsoleTable` maps the descriptors that outlive a restart to their consoles.

/// All consoles of this host.
public final class ConsoleHub: Sendable {
    public struct Options: Sendable {
        /// Where consoles are discovered.
        public var patterns: [DiscoveryPattern]
        /// The folder with a socket for each console, for other programs; nil: no such sockets.
        public var passThroughFolder: String?
        /// How long a console from a watched folder is kept after its path is gone, in microseconds.
        public var forgetsAfter: Int64 = 60_000_000
        /// When a console is connected for the first time and its process is older than this, in microseconds, the
        /// machine has been running and no boot is recorded.
        public var joinAge: Int64 = 10_000_000
        /// Whether this process itself may serve a console. Otherwise that is a mistake, or an attempt to read one
        /// console as another.
        public var acceptsOwnProcess = false
        /// Maximum number of captured consoles. By default as many as half of the process's descriptors allow: each
        /// takes the connection, the socket for other programs, and at times one more.
        public var consoleLimit = max(4, (DescriptorLimit.current / 2 - 64) / 3)
        /// Maximum number of sessions through the consoles' own sockets. By default a sixteenth of the process's
        /// descriptors.
        public var socketSessionLimit = max(4, DescriptorLimit.current / 16)
        /// The folder with the console of each handed-over descriptor.
        public var table: String

        public init(patterns: [DiscoveryPattern] = [], passThroughFolder: String? = nil, table: String) {
            self.patterns = patterns
            self.passThroughFolder = passThroughFolder
            self.table = table
        }
    }

    /// The state of one console.
    public struct Status: Hashable, Sendable {
        public var definition: Definition
        /// Whether it is connected.
        public var isConnected: Bool
        /// The number of watchers.
        public var watchers: Int
        /// The watcher with the right to write.
        public var writer: String?
        /// The socket for other programs.
        public var passThrough: String?
        /// Whether this console stores the stream; false when it is captured another way.
        public var isStored: Bool
    }

    private struct State {
        var consoles = ConsoleRegistry()
        /// Descriptors handed over by the previous process, by the names they were stored under.
        var inherited: [String: Int32] = [:]
        /// What their keeper read and discarded, by that name.
        var discarded: [String: DiscardedOutput] = [:]
        /// When the previous daemon last drained the consoles.
        var absentSince: Int64?
        /// Consoles that are not captured because the limit is reached.
        var surplus: [StreamKey: Definition] = [:]
    }

    let capture: CaptureService
    private let manager: ServiceManager
    private let table: ConsoleTable
    private let state = Mutex(State())
    /// The thread for everything but the consoles' bytes: folders, paths, the table, the service manager. It may block
    /// on a file system; the shards never wait for it.
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

    /// A hub that feeds `capture`. Inherited descriptors are passed to `inherit` before `start()`.
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

    /// Accepts a descriptor that an earlier process stored with the service manager; returns whether it is a console's.
    public func inherit(_ name: String, _ descriptor: consuming Descriptor) -> Bool {
        guard name.hasPrefix(ConsoleTable.prefix) else {
            return false
        }
        let raw = descriptor.release()
        state.withLock { $0.inherited[name] = raw }
        return true
    }

    /// Accepts what the keeper read and discarded while no daemon drained the descriptors, by their names.
    public func takeDiscarded(_ discarded: [String: DiscardedOutput]) {
        state.withLock { $0.discarded = discarded }
    }

    /// Starts: inherited consoles continue at once, with their current definitions; then the consoles in `named` and
    /// those of the watched folders follow.
    public func start(_ named: [Definition] = []) throws(SystemError) {
        adoptInherited(named)
        try follow(named)
    }

    /// The first part of `start`, for a daemon with more to do before it may look for consoles: inherited consoles
    /// continue, and are drained.
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

    /// When the previous daemon last drained the consoles, in microseconds since the Unix epoch; nil when that is
    /// unknown.
    var absentSince: Int64? { state.withLock { $0.absentSince } }

    /// The second part of `start`: the consoles in `named` are connected, then those in watched folders.
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

    /// The current definition of an inherited console: its plain file or its rate may have changed.
    private func currentDefinition(for past: Definition, _ named: [Definition]) -> Definition {
        let found = past.isDiscovered ? patterns.compactMap { $0.definition(like: past) } : []
        return (named + found).first { $0.key == past.key && $0.endpoint == past.endpoint } ?? past
    }

    /// Ends all consoles. When they are `passedOn`, the caller owns their descriptors, by the names they are stored
    /// under, and passes them to a new image or closes them; the service manager keeps its copies. Else the connections
    /// are closed after all output was read.
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
        // A folder on a file system that hangs blocks the thread, which then ends with the process.
        if controlEnded.wait(seconds: Self.stopLimit) {
            controlThread.withLock { thread in
                thread?.join()
                thread = nil
            }
        }
        return passed
    }

    /// The maximum time to wait for the control thread at the end, in seconds.
    private static let stopLimit = 2

    /// Watches other folders from now on; known consoles stay.
    public func setPatterns(_ patterns: [DiscoveryPattern]) {
        problems.clearConflicts { _ in true }
        control.post { [discovery] in
            discovery.setPatterns(patterns)
            discovery.begin()
        }
    }

    /// The result of adding a console.
    public enum AddResult: Hashable, Sendable {
        case new
        /// It is not captured, because it conflicts with a captured console.
        case conflict(ConsoleConflict)
        /// The maximum number of consoles is reached: it is captured when another one ends.
        case full
        /// It was found at an endpoint from which a console was dropped.
        case dropped
    }

    /// Adds a console, unless it conflicts with a captured one: that is logged as a problem. A dropped console is not
    /// captured when it is found again, only when it is named.
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

    /// A console that is only joined gives way to one that is captured.
    private static func conflict(of definition: Definition, in state: State) -> ConsoleConflict? {
        state.consoles.conflicts(with: definition)
            .first { definition.isOnDemand || !$0.console.definition.isOnDemand }?.conflict
    }

    /// Adds the console behind an open descriptor, such as a child's output; it is not reconnected after its end.
    /// `writer`, when given, is attached as the writer named `who` before anything is read: it gets every byte, and is
    /// closed after the last.
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
            // A handed-over console has its descriptor already.
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
        displaced.forEach { end($0, "this console is captured from now on; rejoin it") }
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

    /// Drops a console: its connection is closed, its log stays, and it is not discovered again until its path has
    /// gone. False when there is none.
    public func remove(_ key: StreamKey) -> Bool {
        guard let console = state.withLock({ $0.consoles[key] }) else {
            return false
        }
        end(console, "guestlog has removed this console", isDropped: console.definition.isDiscovered)
        return true
    }

    /// Removes the console with exactly this definition, if there is one; it may be discovered again at once.
    public func remove(_ definition: Definition) {
        let console = state.withLock { $0.consoles[definition.key] }
        if let console, console.definition == definition {
            end(console, "the VM has ended")
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
        // Last, so that a replacement creates its sockets after these were removed.
        state.withLock { state in
            if isDropped {
                setDropped(console.definition.endpoint, true)
            }
            state.consoles.remove(console)
        }
        addSurplus()
    }

    /// Adds a waiting console that had no descriptor before.
    private func addSurplus() {
        let next = state.withLock { state in
            state.consoles.capturedCount < consoleLimit ? state.surplus.popFirst()?.value : nil
        }
        if let next {
            problems.clear(of: next)
            add(next, with: nil)
        }
    }

    /// The definitions of all consoles, by name. Waits for no other thread.
    public func definitions() -> [Definition] {
        state.withLock { $0.consoles.all.map(\.definition) }
            .sorted { ($0.key.name, $0.key.stream) < ($1.key.name, $1.key.stream) }
    }

    /// The states of all consoles, or of those that `isWanted` accepts, by name. Asks each console's shard in turn.
    public func statuses(where isWanted: (Definition) -> Bool = { _ in true }) -> [Status] {
        state.withLock { $0.consoles.all }
            .filter { isWanted($0.definition) }
            .map { console in console.shard.loop.perform { console.status } }
            .sorted {
                ($0.definition.key.name, $0.definition.key.stream) < ($1.definition.key.name, $1.definition.key.stream)
            }
    }

    /// What an attached client can do.
    public struct Attachment: Hashable, Sendable {
        /// Why the client's input does not reach the guest; nil when it does.
        public var refusal: String?
        /// Whether the console is connected.
        public var isConnected: Bool
    }

    /// Attaches a client to a console: `descriptor` gets the console's output, and its input goes to the console if the
    /// client may write. `onAttached` is called on the console's thread when it is known what the client can do: for a
    /// console on demand after dialling, with nil when the console has ended meanwhile.
    ///
    /// False when there is no such console; then the descriptor is closed and `onAttached` is not called.
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

    /// Creates a console's sockets, and watches its path.
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
                capture.diagnostics.log(
                    .warning,
                    "console \(definition.key.name): no socket for other programs: \(error)"
                )
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

    /// Opens a console's path, and passes the result to the console.
    func open(_ console: Console) {
        control.post { [opener, problems] in
            let result = Result { () throws(SystemError) in try opener.open(console.definition) }
            problems.note(result, of: console.definition)
            console.shard.loop.post { console.dialled(result) }
        }
    }

    /// Removes a discovered console whose path has been gone for a while, unless it is back, so that ended VMs do not
    /// stay listed.
    func forget(_ console: Console) {
        control.post { [weak self] in
            guard let self, let path = console.definition.endpoint.path, access(path, F_OK) != 0 else {
                return
            }
            end(console, "the VM has ended")
            discovery.unfollow(path)
        }
    }

    /// Removes the files of closed sockets.
    func discard(_ sockets: [ListeningSocket]) {
        control.post { sockets.forEach { $0.removeFile() } }
    }

    /// Stores a connected console's descriptor with the service manager, in case this process dies.
    func connected(_ definition: Definition, _ connection: Connection) {
        control.post { [manager, table] in
            let name = ConsoleTable.descriptorName(of: definition.key)
            table.put(ConsoleTable.Entry(descriptorName: name, definition: definition, peer: connection.peer))
            // Without FDPOLL=0 the manager would drop the descriptor of a VMM that has ended before the daemon has read
            // the rest.
            manager.notify("FDSTORE=1\nFDPOLL=0\nFDNAME=\(name)", descriptors: [connection.descriptor.raw])
        }
    }

    /// Removes the descriptor of a closed connection from the service manager.
    func disconnected(_ definition: Definition) {
        control.post { [manager, table, opener] in
            opener.release(definition.key)
            let name = ConsoleTable.descriptorName(of: definition.key)
            table.disconnected(definition.key)
            manager.notify("FDSTOREREMOVE=1\nFDNAME=\(name)")
        }
    }
}
