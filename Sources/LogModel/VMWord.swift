// SPDX-License-Identifier: Apache-2.0

/// A word by which a person names a VM.
///
/// It is the VM's name, which is cut as in the store (`VMIdentity.storedName`), its name with its namespace (`lab/db`), its
/// folder in the store, its UUID, the beginning of its UUID, or its title, which is the name that its owner gave it in
/// OpenStack. The first of these forms that any VM has decides, so that a title hides no name.
public struct VMWord: Hashable, Sendable {
    @Bytewise public var text: String

    /// Fewer characters of a UUID are more likely a typing error.
    static let shortestUUIDPrefix = 4

    public init(_ text: String) {
        self.text = text
    }

    /// Those of `vms` that the word names. `folder` and `title` tell a VM's folder and title.
    public func matches<VM>(
        in vms: [VM],
        identity: (VM) -> VMIdentity,
        folder: (VM) -> String,
        title: (VM) -> String? = { _ in nil }
    ) -> [VM] {
        for form in Form.allCases {
            let found = vms.filter { names(identity($0), folder($0), title($0), in: form) }
            if !found.isEmpty {
                return found
            }
        }
        return []
    }

    /// The forms, in the order of their precedence.
    private enum Form: CaseIterable {
        case name, nameWithNamespace, folder, uuid, uuidPrefix, title
    }

    private func names(_ vm: VMIdentity, _ folder: String, _ title: String?, in form: Form) -> Bool {
        switch form {
        case .name: Bytewise(vm.name) == Bytewise(VMIdentity.storedName(text))
        case .nameWithNamespace: Bytewise(vm.nameWithNamespace) == Bytewise(text)
        case .folder: Bytewise(folder) == Bytewise(text)
        case .uuid: vm.uuid != nil && vm.uuid == VMIdentity.canonicalUUID(text)
        case .uuidPrefix:
            text.utf8.count >= Self.shortestUUIDPrefix && vm.uuid?.hasPrefix(text.lowercased()) ?? false
        case .title: title.map { Bytewise($0) == Bytewise(text) } ?? false
        }
    }
}

extension VMIdentity {
    /// The name, behind the namespace if there is one: `lab/db`.
    public var nameWithNamespace: String { (namespace.map { $0 + "/" } ?? "") + name }
}
