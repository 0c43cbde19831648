// SPDX-License-Identifier: Apache-2.0

import ConsoleHub
import LogModel

extension APIContext {
    /// The consoles of the one VM that `word` identifies: by name, UUID, or folder as `guestlog vms` shows it.
    ///
    /// A name that several VMs have is an error. VMs that the caller may not see are treated as absent.
    func consoles(of word: String, for caller: Caller) throws(APIError) -> [ConsoleHub.Definition] {
        let all = hub.definitions().filter { caller.access.vms.contains($0.vm) }
        let named = all.filter { Bytewise($0.vm.name) == Bytewise(word) }
        let uuid = VMIdentity.canonicalUUID(word)
        let found =
            named.isEmpty
            ? all.filter { uuid != nil && $0.vm.uuid == uuid || $0.vm.directoryName == word }
            : named
        let folders = Set(found.map(\.vm.directoryName))
        guard folders.count <= 1 else {
            let list = folders.sorted().joined(separator: ", ")
            throw APIError(
                409,
                "\(word) is ambiguous: \(list); use the UUID or the folder",
                code: "ambiguous_vm"
            )
        }
        guard !found.isEmpty else {
            throw APIError(
                404,
                "no console of a VM named \(word) is captured; list the VMs with guestlog vms",
                code: "no_such_vm"
            )
        }
        return found
    }
}
