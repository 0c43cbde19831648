// SPDX-License-Identifier: Apache-2.0

/// The metadata that OpenStack's Nova writes into its domains (`LibvirtConfigGuestMetaNovaInstance` in its
/// nova/virt/libvirt/config.py).
public struct NovaInstance: Hashable, Sendable {
    /// A project or a user: Keystone's ID, usually a UUID without dashes, and its name.
    public struct Owner: Hashable, Sendable {
        /// Its ID, as written.
        public var uuid: String
        public var name: String

        public init(uuid: String, name: String) {
            self.uuid = uuid
            self.name = name
        }
    }

    /// The display name, which the VM's owner may change.
    public var name: String?
    public var project: Owner?
    /// The user who created it.
    public var user: Owner?

    public init(name: String?, project: Owner?, user: Owner?) {
        self.name = name
        self.project = project
        self.user = user
    }

    /// The namespace without its version, which follows.
    private static let namespace = "http://openstack.org/xmlns/libvirt/nova/"

    /// The instance in the document's metadata, if any: an element `instance` whose prefix is bound to Nova's
    /// namespace, by itself or an ancestor.
    init?(_ document: XMLDocument) {
        guard let metadata = document.children(of: document.root, named: "metadata").first else {
            return nil
        }
        let around = Set((document.root.attributes + metadata.attributes).filter(Self.isBinding).map(\.name))
        for element in document.children(of: metadata) {
            let parts = element.name.split(separator: ":", maxSplits: 1)
            guard parts.last == "instance" else {
                continue
            }
            let prefix = parts.count == 2 ? String(parts[0]) : nil
            let declaration = prefix.map { "xmlns:" + $0 } ?? "xmlns"
            if element.attribute(declaration).map(Self.isBinding) ?? around.contains(declaration) {
                self.init(document, element, prefix: prefix.map { $0 + ":" } ?? "")
                return
            }
        }
        return nil
    }

    private static func isBinding(_ attribute: XMLAttribute) -> Bool {
        attribute.value.hasPrefix(namespace)
    }

    private init(_ document: XMLDocument, _ instance: XMLElement, prefix: String) {
        name = document.children(of: instance, named: prefix + "name").first?.text
        let owner = document.children(of: instance, named: prefix + "owner").first
        func part(_ kind: String) -> Owner? {
            guard
                let part = owner.flatMap({ document.children(of: $0, named: prefix + kind).first }),
                let uuid = part.attribute("uuid")?.value
            else {
                return nil
            }
            return Owner(uuid: uuid, name: part.text)
        }
        project = part("project")
        user = part("user")
    }
}
