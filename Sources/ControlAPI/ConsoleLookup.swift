import ConsoleHub
import LogModel

extension ControlServer {
    /// The consoles of the one VM that `word` names: by its name, its UUID, or its folder as `guestlog vms` shows it.
    ///
    /// A name that several VMs have names none of them. VMs that the caller may not see do not exist.
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
                "\(word) could be several VMs: \(list); name one by UUID or folder",
                code: "ambiguous_vm"
            )
        }
        guard !found.isEmpty else {
            throw APIError(
                404,
                "no console of a VM named \(word) is captured; guestlog vms lists those that are",
                code: "no_such_vm"
            )
        }
        return found
    }
}
