// SPDX-License-Identifier: Apache-2.0

import ConsoleHub
import LogModel
import LogStore
import Libvirt
import Query

/// A VM as a server of the Compute API.
struct NovaServer: Sendable {
    /// Its UUID; the folder's name when it has none.
    let id: String
    /// The name that its owner gave it.
    let name: String
    /// Its name on the host.
    let instanceName: String
    /// Whether it runs; nil when that is unknown.
    let isRunning: Bool?
    /// Its history; nil when nothing is stored.
    let stored: Store.VM?

    private var status: (word: String, machine: String, power: Int64) {
        switch isRunning {
        case true?: ("ACTIVE", "active", 1)
        case false?: ("SHUTOFF", "stopped", 4)
        case nil: ("UNKNOWN", "error", 0)
        }
    }

    /// The status, as filters name it.
    var statusWord: String { status.word }

    /// The members in a list.
    func summary(_ base: String) -> [(String, JSON)] {
        let address = "\(base)/\(NovaVersion.path)/servers/\(PercentEncoding.uri.encode(id))"
        return [
            ("id", .string(id)), ("name", .string(name)), ("links", .array([NovaVersion.link("self", address)])),
        ]
    }

    /// All members. What nova knows and this host does not is empty.
    func detail(_ base: String) -> [(String, JSON)] {
        let begun: JSON = (stored?.created).map { .string(String($0.description.prefix(19)) + "Z") } ?? .null
        return summary(base) + [
            ("status", .string(status.word)), ("created", begun), ("updated", begun),
            ("OS-EXT-STS:vm_state", .string(status.machine)), ("OS-EXT-STS:power_state", .integer(status.power)),
            ("OS-EXT-STS:task_state", .null), ("OS-EXT-SRV-ATTR:instance_name", .string(instanceName)),
            ("tenant_id", .string("")), ("user_id", .string("")), ("hostId", .string("")), ("metadata", .object([])),
            ("addresses", .object([])), ("flavor", .object([("id", .string(""))])), ("image", .string("")),
            ("key_name", .null),
        ]
    }
}

/// Finding servers.
extension NovaAPI {
    /// Maximum number of servers in a response.
    private static let pageLimit = 1000

    func list(_ call: NovaCall, isDetailed: Bool) async throws -> JSON {
        try call.caller.require(.read)
        let (target, caller, base) = (call.target, call.caller, call.baseURL)
        let pattern = try target["name"].map { try RequestWords.pattern($0, ignoreCase: true, isBounded: true) }
        // Matching may take as long as reading.
        var servers = try await call.read { try self.servers(for: caller, named: pattern) }
        for (parameter, value) in [("status", \NovaServer.statusWord), ("uuid", \NovaServer.id)] {
            if let wanted = target.parameters[parameter] {
                servers.removeAll { server in
                    !wanted.contains { $0.lowercased() == server[keyPath: value].lowercased() }
                }
            }
        }
        if let marker = target["marker"] {
            guard let index = servers.firstIndex(where: { $0.id == marker }) else {
                throw APIError.badRequest("marker [\(marker)] not found")
            }
            servers.removeFirst(index + 1)
        }
        guard let limit = Int(target["limit"] ?? "\(Self.pageLimit)"), limit >= 0 else {
            throw APIError.badRequest("Invalid input for query parameters limit.")
        }
        let page = servers.prefix(min(limit, Self.pageLimit))
        var answer: [(String, JSON)] = [
            ("servers", .array(page.map { .object(isDetailed ? $0.detail(base) : $0.summary(base)) }))
        ]
        if page.count < servers.count, let last = page.last {
            var parameters = target.parameters
            parameters["marker"] = [last.id]
            let next = RequestTarget(target.components, parameters).text
            answer.append(("servers_links", .array([NovaVersion.link("next", base + next)])))
        }
        return .object(answer)
    }

    func show(_ call: NovaCall) async throws -> JSON {
        try call.caller.require(.read)
        return .object([("server", .object(try await found(call).detail(call.baseURL)))])
    }

    /// The server in the path.
    func found(_ call: NovaCall) async throws -> NovaServer {
        let (id, caller) = (call.id, call.caller)
        guard let server = try await call.read({ try self.server(id, for: caller) }) else {
            throw APIError.notFound("Instance \(id) could not be found.")
        }
        return server
    }

    /// The server of that id, if the caller may see it.
    private func server(_ id: String, for caller: Caller) throws -> NovaServer? {
        let store = context.store(for: caller)
        let vm = live.last { Self.id(of: $0) == id }
        // The store is searched only when the VM's folder is not at its usual place.
        var stored = (vm?.directoryName).flatMap(store.vm(in:))
        if stored.map({ $0.ended != nil }) ?? true {
            stored = try store.vms().last { Self.id(of: $0.identity) == id && $0.ended == nil }
        }
        guard let vm = vm ?? stored?.identity, caller.access.vms.contains(vm) else {
            return nil
        }
        let consoles = context.hub.statuses { Self.id(of: $0.vm) == id }
        return describe(vm, stored, consoles)
    }

    /// The servers that the caller may see and whose name `pattern` matches, by id.
    private func servers(for caller: Caller, named pattern: Pattern?) throws -> [NovaServer] {
        let consoles = Dictionary(grouping: context.hub.statuses()) { Self.id(of: $0.definition.vm) }
        let all = try context.store(for: caller).vms().filter { $0.ended == nil }
        let stored = Dictionary(all.map { (Self.id(of: $0.identity), $0) }) { $1 }
        let vms = Dictionary((all.map(\.identity) + live).map { (Self.id(of: $0), $0) }) { $1 }
        let servers = vms.filter { caller.access.vms.contains($0.value) }.sorted { $0.key < $1.key }.map { id, vm in
            describe(vm, stored[id], consoles[id] ?? [])
        }
        guard let pattern else {
            return servers
        }
        var matcher = Matcher(pattern)
        return servers.filter { server in
            Array(server.name.utf8).withUnsafeBytes { matcher.matches($0) }
        }
    }

    /// The VMs that have a console or are libvirt's. libvirt's come last, because its names are current.
    private var live: [VMIdentity] {
        context.hub.definitions().map(\.vm) + context.domains.domains.map(\.facts.vm)
    }

    private func describe(_ vm: VMIdentity, _ stored: Store.VM?, _ consoles: [ConsoleHub.Status]) -> NovaServer {
        let domain = context.domain(of: vm)
        let isConnected = consoles.isEmpty ? nil : consoles.contains(where: \.isConnected)
        return NovaServer(
            id: Self.id(of: vm),
            name: domain?.facts.ownersName ?? vm.name,
            instanceName: vm.name,
            isRunning: domain?.isRunning ?? isConnected,
            stored: stored
        )
    }

    /// The id of a VM. A VM that was recreated under its name keeps the id of that name.
    static func id(of vm: VMIdentity) -> String {
        vm.uuid ?? vm.withoutInstance.directoryName
    }
}
