// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import LogModel
import LogStore
import Libvirt
import Query
import RotatingFile
import SystemIO

/// Responses that are one JSON value.
extension APIServer {
    func answer(
        _ route: Route,
        _ target: RequestTarget,
        _ request: Request,
        for caller: Caller
    ) async throws -> JSON {
        let reader = reader(for: caller, request.channel)
        switch route {
        case .status: return try status(for: caller)
        case .vms: return try await reader.read { try self.vms(for: caller) }
        case .addConsole:
            _ = try JSON(body: request.body)
            return try await addConsole(request.body, for: caller, reader)
        case .removeConsole(let name): return try removeConsole(name, target, for: caller)
        case .endVM(let vm): return try await endVM(vm, for: caller, reader)
        case .tokens: return .object([("tokens", .array(tokens.all.map(\.publicJSON)))])
        case .addToken: return try await reader.read { try self.addToken(request.body) }
        case .revokeToken(let id): return try await revokeToken(id, reader)
        case .logs, .boots, .wait, .console: preconditionFailure("Exchange answers this route")
        }
    }

    static func apiError(_ error: any Error) -> APIError {
        switch error {
        case let error as APIError: error
        case let error as QueryError: APIError(error)
        default: APIError(500, "\(error)")
        }
    }

    private func status(for caller: Caller) throws(APIError) -> JSON {
        guard caller.access.vms == .all else {
            throw APIError(403, "\(caller.name) has access to some VMs only; the status covers all VMs")
        }
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
                    (
                        "problem",
                        .string("a write has been blocked for \(seconds) s; guests continue, bytes may be lost")
                    ),
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

    private func vms(for caller: Caller) throws -> JSON {
        let shown = hub.statuses().filter { caller.access.vms.contains($0.definition.vm) }
        let consoles = Dictionary(grouping: shown) { $0.definition.vm.directoryName }
        let statistics = Dictionary(grouping: capture.statistics()) { stream, _ in
            VMIdentity(name: stream.name, uuid: stream.uuid, namespace: stream.namespace).directoryName
        }
        var listed: [JSON] = []
        var seen: Set<String> = []
        for vm in try store(for: caller).vms() {
            let live = vm.ended == nil
            // The hub knows a VM that was recreated under its name by that name alone.
            let folder = VMIdentity(
                name: vm.identity.name,
                uuid: vm.identity.uuid,
                namespace: vm.identity.namespace
            ).directoryName
            seen.insert(folder)
            listed.append(
                VMListing(
                    vm: vm,
                    report: VMReport(of: vm, in: capture.store),
                    consoles: live ? consoles[folder] ?? [] : [],
                    statistics: live ? statistics[folder]?.map(\.value) ?? [] : [],
                    problem: live ? capture.problems.problem(ofVM: vm.identity.name) : nil,
                    domain: live ? domain(of: vm.identity) : nil
                ).json
            )
        }
        var silent = Dictionary(uniqueKeysWithValues: consoles.map { ($0.key, $0.value[0].definition.vm) })
        for domain in domains.domains {
            let vm = VMIdentity(name: domain.facts.name, uuid: domain.facts.uuid)
            if caller.access.vms.contains(vm) {
                silent[vm.directoryName] = vm
            }
        }
        for (folder, vm) in silent.sorted(by: { $0.value.name < $1.value.name }) where !seen.contains(folder) {
            listed.append(VMListing(silent: vm, consoles: consoles[folder] ?? [], domain: domain(of: vm)).json)
        }
        return .object([("vms", .array(listed))])
    }

    /// What libvirt reports about a VM.
    func domain(of vm: VMIdentity) -> Domain? {
        guard let uuid = vm.uuid else {
            return vm.namespace == nil ? domains.domain(named: vm.name) : nil
        }
        return domains.domain(uuid: uuid)
    }

    /// The VM that `word` identifies, or its previous instance when `target` asks for it.
    func vm(_ word: String, _ target: RequestTarget, for caller: Caller, _ request: Request) async throws -> Store.VM {
        let store = store(for: caller)
        return try await reader(for: caller, request.channel).read {
            try VMLookup.resolve(word, in: store, previousInstance: target.flag("previous-instance"))
        }
    }

    /// Maximum number of boots in a response: a hostile guest can have as many as its log holds.
    private static let mostBoots = 1000

    func boots(of vm: Store.VM, for caller: Caller, _ request: Request) async throws -> JSON {
        let store = store(for: caller)
        return try await reader(for: caller, request.channel).read {
            let boots = try BootList.boots(of: vm, in: store).suffix(Self.mostBoots)
            return .object([("boots", .array(boots.map(\.json)))])
        }
    }

    /// Range checks are left to the definition.
    private func rotationLimits(_ json: JSON) throws(APIError) -> RotationLimits {
        var limits = RotationLimits.standard
        for (name, field) in [("plain_size", \RotationLimits.size), ("plain_backups", \.backups)] {
            if let value = json[name] {
                guard let number = value.integer else {
                    throw .badRequest("\(name): must be a number")
                }
                limits[keyPath: field] = Int(number)
            }
        }
        return limits
    }

    func addConsole(_ body: [UInt8], for caller: Caller, _ reader: RequestReader) async throws -> JSON {
        let definition = try definition(from: body, for: caller)
        try await reader.read {
            if let conflict = self.hub.conflict(with: definition) {
                throw APIError.conflict("\(conflict)")
            }
            do throws(SystemError) {
                try definition.endpoint.check()
            } catch {
                throw APIError.badRequest("\(definition.endpoint) cannot be captured: \(error)")
            }
            switch self.hub.add(definition) {
            case .new, .dropped: break
            case .conflict(let conflict): throw APIError.conflict("\(conflict)")
            case .full: throw APIError(503, "the maximum number of consoles is reached: raise the limit of open files")
            }
        }
        return .object([("added", .string(definition.key.name))])
    }

    /// The console in a request's body.
    private func definition(from body: [UInt8], for caller: Caller) throws(APIError) -> ConsoleHub.Definition {
        let json: JSON
        do {
            json = try JSON(parsing: body)
        } catch {
            throw .badRequest("\(error)")
        }
        guard let name = json["name"]?.text else {
            throw .badRequest("name is missing: the VM's name")
        }
        guard let text = json["endpoint"]?.text, let endpoint = Endpoint(text) else {
            throw .badRequest(
                "endpoint is missing or malformed: use connect:PATH, listen:PATH, tcp:ADDRESS:PORT, pty:PATH or fifo:PATH"
            )
        }
        // The daemon may open paths that the caller may not, and the guest determines what is written to a plain file.
        guard caller.isDaemonsOwn || endpoint.path == nil && json["plain_file"] == nil else {
            let what = endpoint.path == nil ? "plain_file" : "adding a console by path"
            throw APIError(
                403,
                "\(what) is allowed for root and the daemon's own user only; ask the administrator, or configure it in guestlog.yaml"
            )
        }
        let streamText = json["stream"]?.text ?? StreamName.console0.text
        guard let stream = StreamName(streamText) else {
            throw .badRequest("\(streamText) is not a stream name: use 1 to 64 of a-z, 0-9, _ and -")
        }
        var uuid: String?
        if let text = json["uuid"]?.text {
            uuid = VMIdentity.canonicalUUID(text)
            guard uuid != nil else {
                throw .badRequest("\(text) is not a UUID")
            }
        }
        let key = StreamKey(name: name, uuid: uuid, namespace: json["namespace"]?.text, stream: stream)
        var plainFile: StreamOptions.PlainFile?
        if let path = json["plain_file"]?.text {
            plainFile = StreamOptions.PlainFile(path: path, limits: try rotationLimits(json))
        }
        do throws(DefinitionError) {
            return try ConsoleHub.Definition(
                key: key,
                endpoint: endpoint,
                plainFile: plainFile,
                isOnDemand: json["on_demand"]?.bool ?? false
            )
        } catch {
            throw .badRequest("\(error)")
        }
    }

    private func removeConsole(
        _ name: String,
        _ target: RequestTarget,
        for caller: Caller
    ) throws(APIError) -> JSON {
        let keys = try consoles(of: name, for: caller).map(\.key).filter { key in
            target["stream"].map { $0 == key.stream.text } ?? true
        }
        guard !keys.isEmpty else {
            throw .notFound("\(name) has no console for \(target["stream"].map { "the stream " + $0 } ?? "any stream")")
        }
        for key in keys {
            _ = hub.remove(key)
        }
        return .object([("removed", .integer(Int64(keys.count)))])
    }

    /// Ends a deleted VM: removes its consoles and ends its history, which stays for the retention time.
    private func endVM(_ word: String, for caller: Caller, _ reader: RequestReader) async throws -> JSON {
        let vm = try await reader.read { try VMLookup.resolveExactly(word, in: self.store(for: caller)) }
        guard vm.ended == nil else {
            throw APIError(404, "\(word) was deleted already; its log is removed when its retention ends")
        }
        let key = VMKey(name: vm.identity.name, uuid: vm.identity.uuid, namespace: vm.identity.namespace)
        let folder = VMIdentity(name: key.name, uuid: key.uuid, namespace: key.namespace).directoryName
        for definition in hub.definitions() where definition.vm.directoryName == folder {
            _ = hub.remove(definition.key)
        }
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            capture.end(key) { error in
                if let error {
                    done.resume(throwing: error)
                } else {
                    done.resume()
                }
            }
        }
        // Wakes followers of the VM, which then see its end.
        capture.notifier.notify(vm: vm.directory)
        return .object([("ended", .string(vm.identity.name))])
    }
}
