import LogModel

/// What a libvirt domain's XML tells of a VM: its names, whose it is, and where its serial ports are.
///
/// Of a domain that runs, give the XML it runs by: a pseudo-terminal's path and a port that libvirt chose are in no
/// other. The time taken is linear in the size of the text; what is not understood is passed over.
public struct DomainFacts: Hashable, Sendable {
    /// The domain's name: of those that libvirt knows at one time, no two have the same.
    public var name: String
    /// The domain's UUID, canonical: lower case with dashes.
    public var uuid: String?
    /// The title that somebody gave it.
    public var title: String?
    /// What OpenStack's Nova knows of it, when it is one of Nova's.
    public var nova: NovaInstance?
    /// The serial ports in their order, those before the consoles that are devices of their own.
    public var ports: [SerialPort]

    /// The facts of a domain of which no more than its name is known.
    public init(name: String, uuid: String?) {
        self.name = name
        self.uuid = uuid
        ports = []
    }

    /// Reads `xml`, UTF-8 with or without a byte order mark. Throws `malformed` for what is not XML, `documentType`,
    /// `notDomain`, and `noName`.
    public init(xml: [UInt8]) throws(DomainXMLError) {
        let document = try XMLDocument(xml)
        guard document.root.name == "domain" else {
            throw .notDomain
        }
        func text(_ name: String) -> String? {
            document.children(of: document.root, named: name).first?.text
        }
        guard let name = text("name"), !name.isEmpty else {
            throw .noName
        }
        self.name = name
        uuid = text("uuid").flatMap(VMIdentity.canonicalUUID)
        title = text("title")
        nova = NovaInstance(document)
        ports = SerialPort.all(of: document)
    }
}
