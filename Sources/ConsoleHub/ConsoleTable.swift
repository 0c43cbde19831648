import Capture
import LogModel
import LogStore
import RotatingFile
import Synchronization
import SystemIO

/// What each console was when this process last knew: written soon after every change, read by the next process.
///
/// With it a descriptor that comes back from the service manager finds its VM, and a console that is dialled again
/// after our own restart is known to lead to the same machine.
final class ConsoleTable: @unchecked Sendable {
    // Sendable because all but the entries is touched on the control thread alone, or when that has ended.

    /// One console.
    struct Entry: Hashable, Sendable {
        var descriptorName: String
        var definition: ConsoleHub.Definition
        var peer: ProcessIdentity?
    }

    /// What the names of our stored descriptors begin with.
    static let prefix = "console-"

    private let path: String
    private let entries = Mutex<[StreamKey: Entry]>([:])
    private let control: EventLoop
    private let clock: any HostClock
    private var lastSave: Int64
    private var nextSave: EventLoop.TimerToken?

    /// The shortest time from one writing to the next, in microseconds: a thousand consoles that are found at once are
    /// not written a thousand times.
    private static let pause: Int64 = 100_000

    init(path: String, control: EventLoop, clock: any HostClock) {
        self.path = path
        self.control = control
        self.clock = clock
        lastSave = clock.monotonicMicroseconds() - Self.pause
    }

    /// A name that service managers allow (no colon, no control character, at most 255 bytes) and no other console has.
    static func descriptorName(of key: StreamKey) -> String {
        let vm = VMIdentity(name: key.name, uuid: key.uuid, namespace: key.namespace)
        // Encoded as one more name, so that it is bounded as those are.
        return prefix + VMIdentity(name: vm.directoryName + "." + key.stream.text).directoryName
    }

    /// The table as the process before left it; empty when there is none.
    func load() -> [Entry] {
        guard let bytes = try? StoredFile(path, .read, on: LinuxFileSystem()).readWhole(),
            let consoles = (try? JSON(parsing: bytes))?["consoles"]?.elements
        else {
            return []
        }
        return consoles.compactMap(Self.decode)
    }

    /// Begins with what was known.
    func remember(_ known: [Entry]) {
        entries.withLock { entries in
            for entry in known where entries[entry.definition.key] == nil {
                entries[entry.definition.key] = entry
            }
        }
    }

    /// The process that was last seen at a console's other end.
    func peer(of key: StreamKey) -> ProcessIdentity? {
        entries.withLock { $0[key]?.peer }
    }

    func put(_ entry: Entry) {
        entries.withLock { $0[entry.definition.key] = entry }
        changed()
    }

    func disconnected(_ key: StreamKey) {
        entries.withLock { $0[key] = nil }
        changed()
    }

    private func changed() {
        guard nextSave == nil else {
            return
        }
        let wait = lastSave + Self.pause - clock.monotonicMicroseconds()
        guard wait > 0 else {
            save()
            return
        }
        nextSave = control.schedule(afterMicroseconds: wait) { [unowned self] in save() }
    }

    /// Writes what is not written yet; when the control thread has ended.
    func finish() {
        if nextSave != nil {
            save()
        }
    }

    private func save() {
        nextSave = nil
        lastSave = clock.monotonicMicroseconds()
        let all = entries.withLock { $0.values.sorted { $0.descriptorName < $1.descriptorName } }
        let text = JSON.object([("consoles", .array(all.map(Self.encode)))]).bytes
        let fileSystem = LinuxFileSystem()
        // On tmpfs: without it the next process counts a boot too many, no more.
        guard let file = try? StoredFile(path + ".new", .create, on: fileSystem), (try? file.truncate(to: 0)) != nil,
            (try? file.write(at: 0, text)) != nil
        else {
            return
        }
        try? fileSystem.rename(path + ".new", to: path)
    }

    private static func encode(_ entry: Entry) -> JSON {
        var members: [(String, JSON)] = [
            ("descriptor", .string(entry.descriptorName)),
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
            members.append(("plainSize", .integer(Int64(plain.limits.size))))
            members.append(("plainBackups", .integer(Int64(plain.limits.backups))))
            members.append(("plainMode", .integer(Int64(plain.mode))))
        }
        if let peer = entry.peer {
            members.append(("process", .integer(Int64(peer.process))))
            members.append(("start", .integer(Int64(clamping: peer.start))))
        }
        return .object(members)
    }

    private static func decode(_ json: JSON) -> Entry? {
        guard let descriptor = json["descriptor"]?.text, let name = json["name"]?.text,
            let stream = json["stream"]?.text.flatMap(StreamName.init),
            let endpoint = json["endpoint"]?.text.flatMap(Endpoint.init)
        else {
            return nil
        }
        let key = StreamKey(name: name, uuid: json["uuid"]?.text, namespace: json["namespace"]?.text, stream: stream)
        var definition = ConsoleHub.Definition(key: key, endpoint: endpoint, rate: nil)
        if let rate = json["rate"]?.integer, let burst = json["burst"]?.integer {
            definition.rate = RateLimit(rate: Int(rate), burst: Int(burst))
        }
        if let path = json["plain"]?.text {
            definition.plainFile = StreamOptions.PlainFile(
                path: path,
                limits: .init(
                    size: Int(json["plainSize"]?.integer ?? 0),
                    backups: Int(json["plainBackups"]?.integer ?? 0)
                ),
                mode: UInt32(json["plainMode"]?.integer ?? 0o600)
            )
        }
        var peer: ProcessIdentity?
        if let process = json["process"]?.integer, let start = json["start"]?.integer {
            peer = ProcessIdentity(process: Int32(process), start: UInt64(start))
        }
        return Entry(descriptorName: descriptor, definition: definition, peer: peer)
    }
}

extension StoredFile {
    /// All of a small file.
    func readWhole() throws(SystemError) -> [UInt8] {
        try read(at: 0, count: try size)
    }
}
