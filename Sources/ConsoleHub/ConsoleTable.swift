// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import RotatingFile
import Synchronization
import SystemIO

/// The consoles of this process, written at every change and read by the next process.
///
/// By this table a descriptor from the service manager is assigned to its VM, and a console that is dialled again after
/// a restart is known to lead to the same machine. It also records dropped consoles, so that they are not discovered
/// again, and those that were added by a client and are named nowhere else.
final class ConsoleTable: Sendable {
    struct Entry: Hashable, Sendable {
        var definition: ConsoleHub.Definition
        var peer: PeerIdentity?
        /// Whether the other end is a Telnet server.
        var isTelnet = false
    }

    /// The entry for the dropped endpoints.
    private static let droppedName = "dropped"
    /// The entry for the consoles that clients have added.
    private static let addedName = "added"
    /// The entry for the time when a daemon stopped.
    private static let stoppedName = "stopped"

    private let store: DescriptorStore
    /// The consoles to which the previous process was connected, and whose descriptors this one did not get.
    private let unrecovered = Mutex<[StreamKey: ConsoleHub.Definition]>([:])
    private let peers = Mutex<[StreamKey: PeerIdentity]>([:])
    private let dropped = Mutex<Set<Endpoint>>([])
    private let added = Mutex<[StreamKey: ConsoleHub.Definition]>([:])
    private let stopped = Mutex<Int64?>(nil)

    init(in path: String, service: ServiceManager) {
        store = DescriptorStore(in: path, prefix: "c", formerPrefix: "console-", service: service)
    }

    /// Whether a descriptor that was passed under `name` may be a console's.
    func ownsName(_ name: String) -> Bool { store.ownsName(name) }

    /// The name under which a console's descriptor is stored, or will be.
    func descriptorName(of key: StreamKey) -> String { store.name(of: Self.storeKey(key)) }

    /// A VM's names may change, its folder does not.
    private static func storeKey(_ key: StreamKey) -> String { key.vm.directoryName + "/" + key.stream.text }

    /// Loads the table of the previous process, which has `passed` descriptors under these names; returns their
    /// consoles, none when there is no table.
    ///
    /// A console without a descriptor was not connected, or its descriptor was lost on the way: a copy that the service
    /// manager may still have is closed, because nobody would read it, and the guest would wait.
    func load(_ passed: Set<String>) -> [(name: String, entry: Entry)] {
        var known: [(name: String, entry: Entry)] = []
        for (name, entry) in store.entries() {
            guard let json = try? JSON(parsing: entry) else {
                continue
            }
            if name == Self.droppedName {
                let endpoints = (json.elements ?? []).compactMap { $0.text.flatMap(Endpoint.init) }
                dropped.withLock { $0 = Set(endpoints) }
            } else if name == Self.addedName {
                let definitions = (json.elements ?? []).compactMap { Self.decode($0)?.definition }
                added.withLock { $0 = Dictionary(definitions.map { ($0.key, $0) }) { first, _ in first } }
            } else if name == Self.stoppedName {
                stopped.withLock { $0 = json["time"]?.integer }
            } else if store.ownsName(name), let entry = Self.decode(json) {
                known.append((name, entry))
            }
        }
        let inherited = known.filter { passed.contains($0.name) }
        var keys: Set<String> = []
        for (name, entry) in inherited + known.filter({ !passed.contains($0.name) }) {
            let key = Self.storeKey(entry.definition.key)
            guard keys.insert(key).inserted else {
                // The previous process ended while it changed the name.
                store.remove(named: name)
                continue
            }
            store.adopt(name, for: key)
            setPeer(entry.peer, of: entry.definition.key)
            if !passed.contains(name) {
                unrecovered.withLock { $0[entry.definition.key] = entry.definition }
                store.close(named: name)
            }
        }
        return inherited
    }

    /// The consoles to which the previous daemon was connected at its end, and whose connections were not handed over.
    var unrecoveredConsoles: [ConsoleHub.Definition] { unrecovered.withLock { Array($0.values) } }

    /// Removes the console with that key from `unrecoveredConsoles`, because it is added; returns whether it was there.
    func removeUnrecovered(_ key: StreamKey) -> Bool {
        unrecovered.withLock { $0.removeValue(forKey: key) != nil }
    }

    /// When the previous daemon stopped, in microseconds since the Unix epoch; nil when it did not stop in order.
    var stoppedBefore: Int64? { stopped.withLock { $0 } }

    /// Records that the daemon stops at `time`.
    func noteStopped(_ time: Int64) {
        store.note(Self.stoppedName, JSON.object([("time", .integer(time))]).bytes)
    }

    /// The last known process at a console's other end.
    func peer(of key: StreamKey) -> PeerIdentity? {
        peers.withLock { $0[key] }
    }

    /// Sets the process at a console's other end; nil when it is not connected. To be called at once, before a console
    /// that takes this one's place asks; the rest follows in `put` and `remove`.
    func setPeer(_ peer: PeerIdentity?, of key: StreamKey) {
        peers.withLock { $0[key] = peer }
    }

    /// Stores the descriptor of a connected console. Without room for the entry the next process closes the
    /// descriptor, connects anew, and records a gap.
    func put(_ entry: Entry, _ descriptor: Int32) {
        store.put(Self.storeKey(entry.definition.key), descriptor, Self.encode(entry).bytes)
    }

    /// Removes a console that is not connected any more.
    func remove(_ key: StreamKey) {
        store.remove(Self.storeKey(key))
    }

    /// Removes a stored descriptor of that name, which belongs to no console.
    func remove(unknown name: String) {
        store.remove(named: name)
    }

    /// Whether a console was dropped at `endpoint`, and its path has not gone since.
    func isDropped(_ endpoint: Endpoint) -> Bool {
        dropped.withLock { $0.contains(endpoint) }
    }

    /// Sets whether `endpoint` is dropped; returns whether that is a change, to be written with `noteDropped`.
    func setDropped(_ endpoint: Endpoint, _ isDropped: Bool) -> Bool {
        dropped.withLock { dropped in
            isDropped ? dropped.insert(endpoint).inserted : dropped.remove(endpoint) != nil
        }
    }

    var droppedEndpoints: Set<Endpoint> { dropped.withLock { $0 } }

    /// Writes the dropped endpoints.
    func noteDropped() {
        let endpoints = droppedEndpoints.map(\.description).sorted()
        store.note(Self.droppedName, JSON.array(endpoints.map { .string($0) }).bytes)
    }

    /// The consoles that clients have added.
    var addedConsoles: [ConsoleHub.Definition] { added.withLock { Array($0.values) } }

    /// Sets the console with that key that a client has added, nil: none; returns whether that is a change, to be written
    /// with `noteAdded`.
    func setAdded(_ definition: ConsoleHub.Definition?, for key: StreamKey) -> Bool {
        added.withLock { added in
            defer { added[key] = definition }
            return added[key] != definition
        }
    }

    /// Writes the consoles that clients have added.
    func noteAdded() {
        let entries = addedConsoles.map { Self.encode(Entry(definition: $0)) }
        store.note(Self.addedName, JSON.array(entries).bytes)
    }

    private static func encode(_ entry: Entry) -> JSON {
        var members: [(String, JSON)] = [
            ("name", .string(entry.definition.key.name)),
            ("stream", .string(entry.definition.key.stream.text)),
            ("endpoint", .string(entry.definition.endpoint.description)),
        ]
        if let uuid = entry.definition.key.uuid {
            members.append(("uuid", .string(uuid)))
        }
        if let namespace = entry.definition.key.namespace {
            members.append(("namespace", .string(namespace)))
        }
        if let rate = entry.definition.rate {
            members.append(("rate", .integer(Int64(rate.rate))))
            members.append(("burst", .integer(Int64(rate.burst))))
        }
        if let plain = entry.definition.plainFile {
            members.append(("plain", .string(plain.path)))
            if let folder = plain.trustedFolder {
                members.append(("plainTrusted", .string(folder)))
            }
            members.append(("plainSize", .integer(Int64(plain.limits.size))))
            members.append(("plainBackups", .integer(Int64(plain.limits.backups))))
            members.append(("plainMode", .integer(Int64(plain.mode))))
        }
        if let folder = entry.definition.trustedFolder {
            members.append(("trusted", .string(folder)))
        }
        if entry.definition.isOnDemand {
            members.append(("onDemand", .bool(true)))
        }
        if entry.isTelnet {
            members.append(("telnet", .bool(true)))
        }
        if let peer = entry.peer {
            members.append(("process", .integer(Int64(peer.process))))
            members.append(("start", .integer(Int64(clamping: peer.start))))
        }
        return .object(members)
    }

    private static func decode(_ json: JSON) -> Entry? {
        guard let name = json["name"]?.text, let stream = json["stream"]?.text.flatMap(StreamName.init),
            let endpoint = json["endpoint"]?.text.flatMap(Endpoint.init)
        else {
            return nil
        }
        let key = StreamKey(name: name, uuid: json["uuid"]?.text, namespace: json["namespace"]?.text, stream: stream)
        var rate: RateLimit?
        if let bytes = json["rate"]?.integer, let burst = json["burst"]?.integer {
            rate = RateLimit(rate: Int(bytes), burst: Int(burst))
        }
        var plainFile: StreamOptions.PlainFile?
        if let path = json["plain"]?.text {
            plainFile = StreamOptions.PlainFile(
                path: path,
                trustedFolder: json["plainTrusted"]?.text,
                limits: .init(
                    size: Int(json["plainSize"]?.integer ?? 0),
                    backups: Int(json["plainBackups"]?.integer ?? 0)
                ),
                mode: UInt32(truncatingIfNeeded: json["plainMode"]?.integer ?? 0o600) & 0o777
            )
        }
        // A definition that is not valid any more is dropped.
        let definition = try? ConsoleHub.Definition(
            key: key,
            endpoint: endpoint,
            plainFile: plainFile,
            rate: rate,
            trustedFolder: json["trusted"]?.text ?? (json["discovered"] == .bool(true) ? "/" : nil),
            isOnDemand: json["onDemand"] == .bool(true)
        )
        guard let definition else {
            return nil
        }
        var peer: PeerIdentity?
        if let process = json["process"]?.integer.flatMap({ Int32(exactly: $0) }),
            let start = json["start"]?.integer.flatMap({ UInt64(exactly: $0) })
        {
            peer = PeerIdentity(process: process, start: start)
        }
        let isTelnet = json["telnet"] == .bool(true)
        return Entry(definition: definition, peer: peer, isTelnet: isTelnet)
    }
}
