// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import Synchronization
import SystemIO

// What consoles leave to the control thread.
extension ConsoleHub {
    /// Creates a console's sockets, and watches its path.
    func prepare(_ console: Console) {
        let definition = console.definition
        if case .listen(let path) = definition.endpoint {
            listen(at: path, for: console)
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

    /// The interval between attempts to listen for a VMM, in microseconds.
    private static let listenInterval: Int64 = 1_000_000

    /// Listens at `path` for the VMM's connection. While that fails, as in a folder that does not exist yet, it is a
    /// problem of the console, and tried again.
    private func listen(at path: String, for console: Console, _ occupied: OccupiedPath = OccupiedPath()) {
        guard !console.shard.loop.perform({ console.isEnded }) else {
            return
        }
        var occupied = occupied
        let (file, now) = (FileAttributes(at: path), capture.clock.monotonicMicroseconds())
        // A process that has been killed leaves its socket behind.
        let hasEnded = occupied.isListed && !UnixSocket.isListening(at: path)
        if hasEnded || occupied.isDue(file, at: now) {
            do throws(SystemError) {
                let socket = try ListeningSocket(path: path)
                problems.clear(of: console.definition)
                console.shard.loop.post { console.listen(on: socket) }
                return
            } catch {
                problems.raise("\(error)", of: console.definition)
                if error.code == EADDRINUSE {
                    occupied.refused(by: file, isListed: UnixSocket.isListening(at: path), at: now)
                }
            }
        }
        control.schedule(afterMicroseconds: Self.listenInterval) { [weak self, occupied] in
            self?.listen(at: path, for: console, occupied)
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
            console.shard.loop.post { console.opened(result) }
        }
    }

    /// Removes a discovered console whose path has been gone for a while, unless it is back, so that ended VMs do not
    /// stay listed.
    func forget(_ console: Console) {
        control.post { [weak self] in
            guard let self, let path = console.definition.endpoint.path, isGone(console.definition) else {
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
    func connected(_ definition: Definition, _ connection: Connection, isTelnet: Bool) {
        table.setPeer(connection.peer, of: definition.key)
        control.post { [table] in
            let entry = ConsoleTable.Entry(definition: definition, peer: connection.peer, isTelnet: isTelnet)
            table.put(entry, connection.descriptor.raw)
        }
    }

    /// Removes the descriptor of a closed connection from the service manager.
    func disconnected(_ definition: Definition) {
        table.setPeer(nil, of: definition.key)
        control.post { [table, opener] in
            opener.release(definition.key)
            table.remove(definition.key)
        }
    }
}

/// A console's path at which another process listens. An attempt to listen there connects to that process, which may take
/// the connection for its VMM's: while its socket stays, attempts are rare.
struct OccupiedPath {
    private var file: FileAttributes?
    /// Whether the kernel listed the process's socket under that path: then its end can be seen there.
    private(set) var isListed = false
    private var delays = Self.newDelays
    private var nextAttempt = Int64.min

    private static var newDelays: Backoff {
        Backoff(first: 30_000_000, doublingLimit: 600_000_000, longest: 600_000_000)
    }

    /// Whether to attempt it at `now`, in microseconds of the monotonic clock, with `current` at the path.
    func isDue(_ current: FileAttributes?, at now: Int64) -> Bool {
        current != file || now >= nextAttempt
    }

    /// Notes an attempt at `now` that failed because a process listens at `current`.
    mutating func refused(by current: FileAttributes?, isListed: Bool, at now: Int64) {
        self.isListed = isListed
        if current != file {
            delays = Self.newDelays
        }
        file = current
        nextAttempt = now + delays.next()
    }
}
