import ConsoleHub
import LogModel

extension ControlServer {
    /// The consoles of the one VM that `word` names: by its name, its UUID, or its folder as `guestlog vms` shows it.
    ///
    /// A name that several VMs have names none of them. VMs that the caller may not see do not exist.
    func consoles(of word: String, for caller: Caller) throws(APIError) -> [ConsoleHub.Status] {
        let all = hub.statuses().filter { caller.access.vms.contains($0.definition.vm) }
        let named = all.filter { Bytewise($0.definition.vm.name) == Bytewise(word) }
        let uuid = VMIdentity.canonicalUUID(word)
        let found =
            named.isEmpty
            ? all.filter { uuid != nil && $0.definition.vm.uuid == uuid || $0.definition.vm.directoryName == word }
            : named
        let folders = Set(found.map(\.definition.vm.directoryName))
        guard folders.count <= 1 else {
            let list = folders.sorted().joined(separator: ", ")
            throw .conflict("\(word) could be several VMs: \(list); name one by UUID or folder")
        }
        guard !found.isEmpty else {
            throw .notFound("no console of a VM named \(word) is captured; guestlog vms lists those that are")
        }
        return found
    }
}
