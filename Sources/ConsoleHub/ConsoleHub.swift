// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import Synchronization
import SystemIO

// ConsoleHub: how consoles are reached and shared.
//
// `ConsoleHub` holds all consoles. A `Console` lives on its VM's shard: it holds the one connection to the guest,
// drains it into a `RetryingIntake`, passes every byte to its `Watcher`s, and lets one of them write. `Endpoint` is the
// kind of address of a console, `EndpointOpener` opens it, `Discovery` finds consoles in watched folders,
// `ConsoleTable` maps the descriptors that outlive a restart to their consoles.

/// All consoles of this host.
public final class ConsoleHub: Sendable {

    struct State {
        var consoles = ConsoleRegistry()
        /// Descriptors handed over by the previous process, by the names they were stored under.
        var inherited: [String: Int32] = [:]
        /// What their keeper read and discarded, by that name.
        var discarded: [String: DiscardedOutput] = [:]
        /// The processes behind handed-over descriptors without an entry, which a full runtime folder had no room for.
        var unassigned: Set<PeerIdentity> = []
        /// When the previous daemon last drained the consoles.
        var absentSince: Int64?
        /// Consoles that are not captured because the limit is reached.
        var surplus = SurplusConsoles()
        /// Whether `stop` has begun: no console is added any more.
        var isStopping = false
    }

    let capture: CaptureService
    let table: ConsoleTable
    let state = Mutex(State())
    /// Held while a client adds or removes a console, so that what is noted of it agrees with what is captured.
    let changingAdded = Mutex(())
    /// The thread for everything but the consoles' bytes: folders, paths, the table, the service manager. It may block
    /// on a file system; the shards never wait for it.
    let control: EventLoop
    let controlThread = Mutex<WorkerThread?>(nil)
    let controlEnded = OneShot()
    let discovery: Discovery
    let opener: EndpointOpener
    let problems: ConsoleProblems
    let patterns: [DiscoveryPattern]
    let passThroughFolder: String?
    let forgetsAfter: Int64
    let joinAge: Int64
    let consoleLimit: Int
    let socketSessions: SocketSessions

    /// A hub that feeds `capture`. Inherited descriptors are passed to `inherit` before `start()`.
    public init(_ options: Options, capture: CaptureService, manager: ServiceManager) throws(SystemError) {
        self.capture = capture
        control = try EventLoop(clock: capture.clock)
        table = ConsoleTable(in: options.table, service: manager)
        discovery = try Discovery(loop: control, diagnostics: capture.diagnostics, problems: capture.problems)
        opener = EndpointOpener(ownFolder: options.passThroughFolder, acceptsOwnProcess: options.acceptsOwnProcess)
        problems = ConsoleProblems(capture.problems, capture.diagnostics)
        patterns = options.patterns
        passThroughFolder = options.passThroughFolder
        forgetsAfter = options.forgetsAfter
        joinAge = options.joinAge
        consoleLimit = options.consoleLimit
        socketSessions = SocketSessions(total: options.socketSessionLimit)
    }

    /// Ends all consoles. When they are `passedOn`, the caller owns their descriptors, by the names they are stored
    /// under, and passes them to a new image or closes them; the service manager keeps its copies. Else the connections
    /// are closed after all output was read.
    @discardableResult
    public func stop(passedOn: Bool = false) -> [(name: String, descriptor: Int32)] {
        var passed: [(key: StreamKey, descriptor: Int32)] = []
        var sockets: [ListeningSocket] = []
        // A console that is found from now on would be connected, and its descriptor stored, but not passed on: nobody
        // would read it.
        let consoles = state.withLock { state in
            state.isStopping = true
            return state.consoles.all
        }
        for console in consoles {
            let result = console.shard.loop.perform { console.suspend(isPassedOn: passedOn) }
            sockets += result.sockets
            if let descriptor = result.descriptor {
                passed.append((console.definition.key, descriptor))
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
        // The control thread has given the names.
        return passed.map { (table.descriptorName(of: $0.key), $0.descriptor) }
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
        /// It is left to the next process.
        case stopping
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
    /// closed after the last. `onNotice` is called as described at `attach`.
    public func add(
        _ definition: Definition,
        descriptor: consuming Descriptor,
        writer: consuming Descriptor? = nil,
        who: String = "",
        onNotice: @escaping @Sendable (ConsoleNotice) -> Void = { _ in }
    ) {
        let raw = writer?.release()
        // A shard must not wait for a guest that takes no input.
        try? descriptor.setNonBlocking()
        _ = add(definition, with: Connection(descriptor)) { console in
            if let raw {
                console.attach(Descriptor(owning: raw), as: .write, who: who, onNotice: onNotice)
            }
        }
    }

    @discardableResult
    func add(
        _ definition: Definition,
        with connection: Connection?,
        isHandedOver: Bool = false,
        discarded: DiscardedOutput? = nil,
        _ onBegin: @escaping @Sendable (Console) -> Void = { _ in }
    ) -> AddResult {
        let shard = capture.shard(of: definition.key.vm)
        let knownPeer = isHandedOver ? connection?.peer : table.peer(of: definition.key)
        let isUnrecovered = connection == nil && !definition.isOnDemand && table.removeUnrecovered(definition.key)
        let console = Console(definition, shard: shard, hub: self, knownPeer: knownPeer, isUnrecovered: isUnrecovered)
        var displaced: [Console] = []
        var isFirstRefusal = false
        let added = state.withLock { [consoleLimit] state in
            guard !state.isStopping else {
                return AddResult.stopping
            }
            if let conflict = Self.conflict(of: definition, in: state) {
                return .conflict(conflict)
            }
            if definition.isDiscovered, table.isDropped(definition.endpoint) {
                return .dropped
            }
            // A handed-over console has its descriptor already.
            guard definition.isOnDemand || connection != nil || state.consoles.capturedCount < consoleLimit else {
                isFirstRefusal = state.surplus.insert(definition)
                return .full
            }
            state.surplus.remove(definition)
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
            if isFirstRefusal {
                followSurplus(definition)
            }
        }
        for console in displaced {
            if console.definition.key != definition.key {
                setAdded(nil, for: console.definition.key)
            }
            end(console, "this console is captured from now on; rejoin it", as: .sessionEnded)
        }
        guard added == .new else {
            return added
        }
        problems.clearConflicts { $0 == definition.endpoint }
        shard.loop.post {
            console.begin(with: connection, isHandedOver: isHandedOver, discarded: discarded)
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
    /// gone. Its clients are told the reason, if there is one. One that waits until the console limit allows it stops
    /// waiting. False when there is no such console.
    public func remove(_ key: StreamKey, reason: String? = "guestlog has removed this console") -> Bool {
        changingAdded.withLock { _ in
            setAdded(nil, for: key)
            let wasWaiting = removeSurplus { $0.key == key }
            guard let console = state.withLock({ $0.consoles[key] }) else {
                return wasWaiting
            }
            end(console, reason, isDropped: console.definition.isDiscovered)
            return true
        }
    }

    /// Removes the console with exactly this definition, if there is one; it may be discovered again at once.
    public func remove(_ definition: Definition) {
        let console = state.withLock { $0.consoles[definition.key] }
        if let console, console.definition == definition {
            end(console, "the VM has ended")
        }
    }

    func setDropped(_ endpoint: Endpoint, _ isDropped: Bool) {
        if table.setDropped(endpoint, isDropped) {
            control.post { [table] in table.noteDropped() }
        }
    }

    func end(
        _ console: Console,
        _ reason: String?,
        as kind: ConsoleNotice.End = .consoleEnded,
        isDropped: Bool = false
    ) {
        discard(console.shard.loop.perform { console.end(reason, as: kind) }.sockets)
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

    /// The definitions of all captured and joined consoles, by name. Waits for no other thread.
    public func definitions() -> [Definition] {
        state.withLock { $0.consoles.all.map(\.definition) }
            .sorted { ($0.key.name, $0.key.stream) < ($1.key.name, $1.key.stream) }
    }

    /// The states of all consoles, or of those that `isWanted` accepts, by name. Asks each shard once.
    public func statuses(where isWanted: (Definition) -> Bool = { _ in true }) -> [Status] {
        let chosen = state.withLock { $0.consoles.all }.filter { isWanted($0.definition) }
        return Dictionary(grouping: chosen) { ObjectIdentifier($0.shard) }.values
            .flatMap { consoles in consoles[0].shard.loop.perform { consoles.map(\.status) } }
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
        onNotice: @escaping @Sendable (ConsoleNotice) -> Void = { _ in },
        _ onAttached: @escaping @Sendable (Attachment?) -> Void = { _ in }
    ) -> Bool {
        let raw = descriptor.release()
        guard let console = state.withLock({ $0.consoles[key] }) else {
            close(raw)
            return false
        }
        console.shard.loop.post {
            console.attach(Descriptor(owning: raw), as: role, who: who, onNotice: onNotice, onAttached)
        }
        return true
    }

    func endpointGone(_ path: String) {
        for endpoint in table.droppedEndpoints where Bytewise(endpoint.path) == Bytewise(path) {
            setDropped(endpoint, false)
        }
        problems.clearConflicts { Bytewise($0.path) == Bytewise(path) }
        surplusGone(path)
    }

    func endpointChanged(_ path: String) {
        for console in state.withLock({ $0.consoles.all })
        where Bytewise(console.definition.endpoint.watchedPath) == Bytewise(path) {
            console.shard.loop.post { console.endpointChanged() }
        }
    }
}
