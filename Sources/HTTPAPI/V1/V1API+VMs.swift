// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Libvirt
import LogModel
import LogStore
import Query
import SystemIO

/// VMs and their boots.
extension V1API {
    func vms(_ call: Call) async throws -> Response {
        Response(try await call.read { try vms(for: call.caller) })
    }

    private func vms(for caller: Caller) throws -> JSON {
        let shown = context.hub.statuses().filter { caller.access.vms.contains($0.definition.vm) }
        let consoles = Dictionary(grouping: shown) { $0.definition.vm.directoryName }
        let statistics = Dictionary(grouping: context.capture.statistics()) { $0.key.vm.directoryName }
        var listed: [JSON] = []
        var seen: Set<String> = []
        for vm in try context.store(for: caller).vms() {
            // The hub knows a VM that was recreated under its name by that name alone.
            let folder = vm.identity.withoutInstance.directoryName
            seen.insert(folder)
            let report = VMReport(of: vm, in: context.capture.store)
            guard vm.ended == nil else {
                listed.append(VMListing(vm: vm, report: report).json)
                continue
            }
            let live = LiveVM(
                consoles: consoles[folder] ?? [],
                statistics: statistics[folder]?.map(\.value) ?? [],
                problem: context.capture.problems.problem(of: vm.identity),
                domain: context.domain(of: vm.identity)
            )
            listed.append(live.listing(of: vm, report).json)
        }
        var silent = Dictionary(uniqueKeysWithValues: consoles.map { ($0.key, $0.value[0].definition.vm) })
        for domain in context.domains.domains {
            let vm = domain.facts.vm
            if caller.access.vms.contains(vm) {
                silent[vm.directoryName] = vm
            }
        }
        for (folder, vm) in silent.sorted(by: { $0.value.name < $1.value.name }) where !seen.contains(folder) {
            let live = LiveVM(
                consoles: consoles[folder] ?? [],
                problem: context.capture.problems.problem(of: vm),
                domain: context.domain(of: vm)
            )
            listed.append(live.listing(silent: vm).json)
        }
        return .object([("vms", .array(listed))])
    }

    /// Maximum number of boots in a response: a hostile guest can have as many as its log holds.
    private static let mostBoots = 1000

    func boots(_ call: Call) async throws -> Response {
        let store = context.store(for: call.caller)
        let isPrevious = try call.target.flag("previous-instance") ?? false
        let vm = try await call.read { () throws -> Store.VM in
            let word = try context.storedWord(call.value("vm"), in: store)
            do throws(QueryError) {
                return try VMLookup.resolve(word, in: store, previousInstance: isPrevious)
            } catch {
                throw context.explained(error, [word], in: store, for: call.caller)
            }
        }
        let lease = try context.sessions.lease([vm.directory], for: call.caller)
        return try await call.read {
            let boots = try BootList.boots(of: vm, in: store).suffix(Self.mostBoots)
            return Response(.object([("boots", .array(boots.map(\.json)))]), lease: lease)
        }
    }

    /// Ends a deleted VM: removes its consoles and ends its history, which stays for the retention time. Where the store
    /// cannot record that, the consoles stay.
    func endVM(_ call: Call) async throws -> Response {
        let word = call.value("vm")
        let store = context.store(for: call.caller)
        let vm = try await call.read { try VMLookup.resolveExactly(try context.storedWord(word, in: store), in: store) }
        guard vm.ended == nil else {
            throw APIError(404, "\(word) was deleted already; its log is removed when its retention ends")
        }
        let (identity, folder) = (vm.identity.withoutInstance, vm.identity.withoutInstance.directoryName)
        let capture = context.capture
        let isCaptured = context.hub.knownDefinitions().contains { $0.key.vm.directoryName == folder }
        if isCaptured, let error = await Self.result({ capture.checkEnd(of: identity, $0) }) {
            throw Self.error(error, "\(word) was not deleted, and is captured as before")
        }
        try await context.control { [hub = context.hub] in
            for definition in hub.knownDefinitions() where definition.key.vm.directoryName == folder {
                _ = hub.remove(definition.key)
            }
        }
        if let error = await Self.result({ capture.end(identity, $0) }) {
            let removed = isCaptured ? "its consoles were removed, but " : ""
            throw Self.error(error, "\(removed)the deletion of \(word) was not recorded; repeat it")
        }
        // Wakes followers of the VM, which then see its end.
        context.capture.notifier.notify(vm: vm.directory)
        return Response(.object([("ended", .string(vm.identity.name))]))
    }

    /// The error of an end that failed with `error`. That another process writes the VM is no fault of the server.
    private static func error(_ error: SystemError, _ words: String) -> APIError {
        APIError(error.code == SystemError.wouldBlock ? 409 : APIError(of: error).status, "\(words): \(error)")
    }

    /// What the writer's thread passes to the function given to `call`.
    private static func result(
        _ call: (@escaping @Sendable (SystemError?) -> Void) -> Void
    ) async -> SystemError? {
        await withCheckedContinuation { done in call { done.resume(returning: $0) } }
    }
}
