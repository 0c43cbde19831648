import Capture
import ConsoleHub
import LogModel
import LogStore
import NIOHTTP1
import NIOPosix
import Query
import RotatingFile
import SystemIO

/// The answers that are one JSON value.
extension ControlServer {
    func answer(_ route: Route, _ target: RequestTarget, _ body: [UInt8]) async throws -> JSON {
        switch route {
        case .status: return status()
        case .vms: return try await blocking { try self.vms() }
        case .boots(let vm): return try await blocking { try self.boots(of: vm, target) }
        case .addConsole: return try addConsole(body)
        case .removeConsole(let name): return try removeConsole(name, target)
        case .endVM(let vm): return try await endVM(vm)
        case .logs, .wait, .console: throw APIError(500, "this route streams")
        }
    }

    /// Runs what reads files on a thread that may wait for them.
    func blocking<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await NIOThreadPool.singleton.runIfActive(body)
    }

    static func apiError(_ error: any Error) -> APIError {
        switch error {
        case let error as APIError: error
        case let error as QueryError: .notFound("\(error)")
        case let error as SystemError: APIError(500, "\(error)")
        default: APIError(500, "\(error)")
        }
    }

    private func status() -> JSON {
        let statistics = capture.statistics().values
        let consoles = hub.statuses()
        let stuck = capture.writerStuckFor
        var problems = capture.problems.all.map {
            JSON.object([("subject", .string($0.0)), ("problem", .string($0.1))])
        }
        if stuck > Self.stuckThreshold {
            let seconds = stuck / 1_000_000
            problems.append(
                .object([
                    ("subject", .string("store")),
                    ("problem", .string("a write has been hanging for \(seconds) s; guests run on, bytes may be lost")),
                ])
            )
        }
        return .object([
            ("version", .string(version)),
            ("started", .string(started.description)),
            ("store", .string(capture.store.root)),
            ("consoles", .integer(Int64(consoles.count))),
            ("connected", .integer(Int64(consoles.count(where: \.isConnected)))),
            ("received_bytes", .integer(Int64(clamping: statistics.reduce(0) { $0 + $1.received }))),
            ("stored_bytes", .integer(Int64(clamping: statistics.reduce(0) { $0 + $1.stored }))),
            ("dropped_bytes", .integer(Int64(clamping: statistics.reduce(0) { $0 + $1.dropped }))),
            ("problems", .array(problems)),
        ])
    }

    /// A write that takes longer than this, in microseconds, is a problem.
    private static let stuckThreshold: Int64 = 5_000_000

    private func vms() throws -> JSON {
        let consoles = Dictionary(grouping: hub.statuses()) { $0.definition.key.name }
        let statistics = Dictionary(grouping: capture.statistics()) { $0.key.name }
        var listed: [JSON] = []
        var seen: Set<String> = []
        for vm in try capture.store.vms() {
            let live = vm.ended == nil
            seen.insert(vm.identity.name)
            listed.append(
                try VMListing(
                    vm: vm,
                    report: VMReport(of: vm, in: capture.store),
                    consoles: live ? consoles[vm.identity.name] ?? [] : [],
                    statistics: live ? statistics[vm.identity.name]?.map(\.value) ?? [] : [],
                    problem: live ? capture.problems.problem(of: vm.identity.name) : nil
                ).json
            )
        }
        for (name, waiting) in consoles.sorted(by: { $0.key < $1.key }) where !seen.contains(name) {
            listed.append(VMListing(name: name, consoles: waiting).json)
        }
        return .object([("vms", .array(listed))])
    }

    private func boots(of word: String, _ target: RequestTarget) throws -> JSON {
        let vm = try VMLookup.resolve(word, in: capture.store, previousInstance: target.flag("previous-instance"))
        let boots = try BootList.boots(of: vm, in: capture.store)
        return .object([("boots", .array(boots.map(\.json)))])
    }

    /// Bytes of a plain file, and backups: enough for anybody, and no more than a rotation can rename at once.
    private static let plainSizes: ClosedRange<Int64> = 4096...1 << 40
    private static let plainBackups: ClosedRange<Int64> = 0...1000

    private func rotationLimits(_ json: JSON) throws(APIError) -> RotationLimits {
        var limits = RotationLimits.standard
        if let value = json["plain_size"] {
            guard let size = value.integer, size == 0 || Self.plainSizes.contains(size) else {
                throw .badRequest("plain_size: 0 (never rotated) or \(Self.plainSizes.words) bytes were expected")
            }
            limits.size = Int(size)
        }
        if let value = json["plain_backups"] {
            guard let backups = value.integer, Self.plainBackups.contains(backups) else {
                throw .badRequest("plain_backups: \(Self.plainBackups.words) were expected")
            }
            limits.backups = Int(backups)
        }
        return limits
    }

    private func addConsole(_ body: [UInt8]) throws(APIError) -> JSON {
        let json: JSON
        do {
            json = try JSON(parsing: body)
        } catch {
            throw .badRequest("\(error)")
        }
        guard let name = json["name"]?.text, !name.isEmpty else {
            throw .badRequest("name is missing: the VM's")
        }
        guard let text = json["endpoint"]?.text, let endpoint = Endpoint(text) else {
            throw .badRequest("endpoint is missing, or none: connect:PATH, listen:PATH, pty:PATH or fifo:PATH")
        }
        let streamText = json["stream"]?.text ?? StreamName.console0.text
        guard let stream = StreamName(streamText) else {
            throw .badRequest("\(streamText) is no stream's name: 1 to 64 of a-z, 0-9, _ and -")
        }
        var uuid: String?
        if let text = json["uuid"]?.text {
            uuid = VMIdentity.canonicalUUID(text)
            guard uuid != nil else {
                throw .badRequest("\(text) is no UUID")
            }
        }
        let key = StreamKey(name: name, uuid: uuid, namespace: json["namespace"]?.text, stream: stream)
        var definition = ConsoleHub.Definition(key: key, endpoint: endpoint)
        if let path = json["plain_file"]?.text {
            definition.plainFile = StreamOptions.PlainFile(path: path, limits: try rotationLimits(json))
        }
        switch hub.add(definition) {
        case .new: break
        case .known: throw .conflict("\(name)/\(stream) is captured already")
        case .taken(let key):
            throw .conflict("\(endpoint.description) is the console of \(key.name)/\(key.stream) already")
        }
        return .object([("added", .string(name))])
    }

    private func removeConsole(_ name: String, _ target: RequestTarget) throws(APIError) -> JSON {
        let keys = hub.statuses().map(\.definition.key).filter { key in
            key.name == name && target["stream"].map { $0 == key.stream.text } ?? true
        }
        guard !keys.isEmpty else {
            throw .notFound("no console of a VM named \(name) is captured")
        }
        for key in keys {
            _ = hub.remove(key)
        }
        return .object([("removed", .integer(Int64(keys.count)))])
    }

    /// The VM is deleted: its consoles go, its history ends and is kept for a while.
    private func endVM(_ word: String) async throws -> JSON {
        let vm = try await blocking { try VMLookup.resolve(word, in: self.capture.store, previousInstance: false) }
        for status in hub.statuses() where status.definition.key.name == vm.identity.name {
            _ = hub.remove(status.definition.key)
        }
        let key = VMKey(name: vm.identity.name, uuid: vm.identity.uuid, namespace: vm.identity.namespace)
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            capture.end(key) { error in
                if let error {
                    done.resume(throwing: error)
                } else {
                    done.resume()
                }
            }
        }
        return .object([("ended", .string(vm.identity.name))])
    }
}

extension ClosedRange<Int64> {
    /// The range as it stands in a message.
    fileprivate var words: String { "\(lowerBound) to \(upperBound)" }
}
