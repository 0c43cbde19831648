// SPDX-License-Identifier: Apache-2.0

import ConsoleHub
import Libvirt
import LogModel
import LogStore
import Query

extension APIContext {
    /// The consoles of the one VM that `word` identifies: in any form of `VMWord`.
    ///
    /// A name that several VMs have is an error. VMs that the caller may not see are treated as absent.
    func consoles(of word: String, for caller: Caller) throws(APIError) -> [ConsoleHub.Definition] {
        try consoles(of: word, in: hub.definitions(), for: caller)
    }

    /// The same among the consoles `known`.
    func consoles(
        of word: String,
        in known: [ConsoleHub.Definition],
        for caller: Caller
    ) throws(APIError) -> [ConsoleHub.Definition] {
        let all = known.filter { caller.access.vms.contains($0.vm) }
        let found = VMWord(word).matches(
            in: all,
            identity: \.vm,
            folder: \.vm.directoryName,
            title: { self.domain(of: $0.vm)?.facts.ownersName }
        )
        let folders = Set(found.map(\.vm.directoryName))
        guard folders.count <= 1 else {
            throw Self.ambiguous(word, folders)
        }
        guard !found.isEmpty else {
            throw APIError(
                404,
                "no console of a VM named \(word) is captured; \(VMLookup.remedy(forUnknown: word))",
                code: "no_such_vm"
            )
        }
        return found
    }

    /// `word`, or the UUID of the one VM in `store` with that title, when no VM there is named so; the name of a VM
    /// without a UUID. The store knows no titles. A title that several VMs have is an error. VMs that `store` does not show
    /// are treated as absent.
    func storedWord(_ word: String, in store: Store) throws(APIError) -> String {
        guard (try? VMLookup.resolve(word, in: store, previousInstance: false)) == nil, let vms = try? store.vms()
        else {
            return word
        }
        let titled = vms.filter { vm in
            self.domain(of: vm.identity)?.facts.ownersName.map { Bytewise($0) == Bytewise(word) } ?? false
        }
        let words = Set(titled.map { $0.identity.uuid ?? $0.identity.name })
        guard words.count <= 1 else {
            throw Self.ambiguous(word, Set(titled.map(\.directory)))
        }
        return words.first ?? word
    }

    /// The error of a lookup of `words` in `store`: `error`, or why a VM that has a console has no log.
    /// Asks the shards.
    func explained(_ error: QueryError, _ words: [String], in store: Store, for caller: Caller) -> any Error {
        guard error.code == .noSuchVM, let stored = try? store.vms() else {
            return error
        }
        for word in words
        where VMWord(word).matches(in: stored, identity: \.identity, folder: \.directory).isEmpty {
            guard let consoles = try? self.consoles(of: word, for: caller) else {
                continue
            }
            let keys = Set(consoles.map(\.key))
            let isConnected = hub.statuses { keys.contains($0.key) }.contains(where: \.isConnected)
            let reason =
                consoles.allSatisfy(\.isOnDemand)
                ? "its console is joined on demand, and not captured"
                : isConnected ? "its console has printed nothing" : "its console is not connected"
            return APIError(404, "nothing of \(word) is stored yet: \(reason)", code: "no_such_vm")
        }
        return error
    }

    private static func ambiguous(_ word: String, _ folders: Set<String>) -> APIError {
        let list = folders.sorted().joined(separator: ", ")
        return APIError(
            409,
            "\(word) is ambiguous: \(list); use NAMESPACE/NAME, the UUID or the folder",
            code: "ambiguous_vm"
        )
    }
}
