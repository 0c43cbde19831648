/// What OpenStack's Nova writes into the metadata of a domain it makes (`LibvirtConfigGuestMetaNovaInstance` in its
/// nova/virt/libvirt/config.py).
public struct NovaInstance: Hashable, Sendable {
    /// A project or a user: Keystone's ID for it, a UUID mostly without dashes, and its name.
    public struct Owner: Hashable, Sendable {
        /// Its ID, as it is written there.
        public var uuid: String
        /// Its name.
        public var name: String

        /// An owner from its parts.
        public init(uuid: String, name: String) {
            self.uuid = uuid
            self.name = name
        }
    }

    /// The name that the VM's owner sees and may change.
    public var name: String?
    /// The project it belongs to.
    public var project: Owner?
    /// Who made it.
    public var user: Owner?

    /// An instance from its parts.
    public init(name: String?, project: Owner?, user: Owner?) {
        self.name = name
        self.project = project
        self.user = user
    }

    /// What the namespace's name begins with; a version follows.
    private static let namespace = "http://openstack.org/xmlns/libvirt/nova/"

    /// The instance in the document's metadata, if there is one: an element `instance` whose prefix is bound to Nova's
    /// namespace, by itself or one of those around it.
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
