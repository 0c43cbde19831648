// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import Synchronization
import SystemIO

// How a hub continues with the consoles of an earlier process, and finds new ones.
extension ConsoleHub {
    /// Accepts a descriptor that an earlier process stored with the service manager; returns whether it is a console's.
    public func inherit(_ name: String, _ descriptor: consuming Descriptor) -> Bool {
        guard table.ownsName(name) else {
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
        let known = table.load(Set(state.withLock { $0.inherited.keys }))
        let lastTurn = [capture.lastTurnBefore, table.stoppedBefore].compactMap(\.self).max()
        state.withLock { $0.absentSince = lastTurn }
        for (name, entry) in known {
            let (passed, discarded) = state.withLock { state in
                (state.inherited.removeValue(forKey: name), state.discarded.removeValue(forKey: name))
            }
            guard let passed else {
                continue
            }
            let connection = Connection(Descriptor(owning: passed), of: entry)
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
            table.remove(unknown: name)
            let peer = Connection(Descriptor(owning: raw)).peer
            state.withLock { $0.unassigned.formUnion(peer.map { [$0] } ?? []) }
        }
    }

    /// Whether the previous daemon drained a console of that process and could not note which.
    func wasDrained(_ peer: PeerIdentity) -> Bool { state.withLock { $0.unassigned.contains(peer) } }

    /// When the previous daemon last drained the consoles, in microseconds since the Unix epoch; nil when that is
    /// unknown.
    var absentSince: Int64? { state.withLock { $0.absentSince } }

    /// The second part of `start`: the consoles in `named` and those that clients have added are connected, then those in
    /// watched folders.
    public func follow(_ named: [Definition]) throws(SystemError) {
        discovery.onFound = { [weak self] definition in self?.add(definition) }
        discovery.onChanged = { [weak self] path in self?.endpointChanged(path) }
        discovery.onGone = { [weak self] path in self?.endpointGone(path) }
        named.forEach { add($0) }
        let (keys, endpoints) = (Set(named.map(\.key)), Set(named.map(\.endpoint)))
        for added in table.addedConsoles {
            // The configuration may have it by now: it says how the console is captured, and for how long.
            if keys.contains(added.key) || endpoints.contains(added.endpoint) || watchedDefinition(like: added) != nil {
                setAdded(nil, for: added.key)
            } else {
                addAgain(added)
            }
        }
        table.unrecoveredConsoles.forEach { addUnrecovered($0) }
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

    /// Adds a console that nothing else names, for a client: it is added again by each next process, until it is removed
    /// or the runtime folder is. A pseudo-terminal is not: its number may be another one's by then.
    public func addLasting(_ definition: Definition) -> AddResult {
        switch definition.endpoint {
        case .connect, .listen, .tcp, .fifo: break
        case .terminal, .inherited: return add(definition)
        }
        return changingAdded.withLock { _ in
            let result = add(definition)
            if result == .new {
                setAdded(definition, for: definition.key)
            }
            return result
        }
    }

    /// Notes which console a client has added under that key; nil: none.
    func setAdded(_ definition: Definition?, for key: StreamKey) {
        if table.setAdded(definition, for: key) {
            control.post { [table] in table.noteAdded() }
        }
    }

    /// Adds a console that a client has added to an earlier process, unless it was inherited. One that conflicts with
    /// another console is forgotten: no client could remove it.
    private func addAgain(_ added: Definition) {
        guard let conflict = self.conflict(with: added) else {
            add(added)
            return
        }
        if conflict.kind != .stream || conflict.other.endpoint != added.endpoint {
            setAdded(nil, for: added.key)
            capture.diagnostics.log(
                .warning,
                "console \(added.key) at \(added.endpoint), added by a client, is not captured any more: \(conflict)"
            )
        }
    }

    /// Adds a console that a watched folder had when the previous daemon ended: if its path has gone since, nothing else
    /// shows that its machine has ended. One that the configuration does not name any more is not added.
    private func addUnrecovered(_ previous: Definition) {
        if let current = watchedDefinition(like: previous) {
            add(current)
        }
    }

    /// The definition of a console in a watched folder, by its `previous` one; nil when no folder has it. One that was not
    /// discovered then may have another name than the folder gives: that is another console.
    private func watchedDefinition(like previous: Definition) -> Definition? {
        watchedDefinitions(like: previous).first { previous.isDiscovered || $0.key == previous.key }
    }

    private func watchedDefinitions(like previous: Definition) -> [Definition] {
        // Where the daemon listens itself there is nothing to discover.
        previous.endpoint.watchedPath == nil ? [] : patterns.compactMap { $0.definition(like: previous) }
    }

    /// The current definition of an inherited console: its plain file or its rate may have changed.
    private func currentDefinition(for previous: Definition, _ named: [Definition]) -> Definition {
        (named + watchedDefinitions(like: previous))
            .first { $0.key == previous.key && $0.endpoint == previous.endpoint } ?? previous
    }
}
