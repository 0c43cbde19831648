// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The facts in a libvirt domain's XML: a VM's names, its owner, and its serial ports.
///
/// For a running domain, use the XML it runs with: a pseudo-terminal's path and an automatically chosen port are in no
/// other. Parsing takes linear time; unknown elements are skipped.
public struct DomainFacts: Hashable, Sendable {
    /// The domain's name, unique in libvirt at any time.
    public var name: String
    /// The domain's UUID, canonical: lower case with dashes.
    public var uuid: String?
    /// The domain's title.
    public var title: String?
    /// The name that the VM's owner gave it: OpenStack's, else the title.
    public var ownersName: String? { nova?.name ?? title }
    /// Nova's metadata, when the domain is Nova's.
    public var nova: NovaInstance?
    /// The serial ports in order, before the consoles that are devices of their own.
    public var ports: [SerialPort]
    /// The files that libvirt's log daemon writes for its devices, in the order in which libvirt opens them.
    public var logFiles: [String]
    /// The context id of its vsock device, which identifies it on its host while it runs (vsock(7)).
    public var vsockContext: UInt32?

    /// The facts of a domain of which only the name is known.
    public init(name: String, uuid: String?) {
        self.name = name
        self.uuid = uuid
        ports = []
        logFiles = []
    }

    /// The VM, as its log is stored.
    public var vm: VMIdentity { VMIdentity(name: VMIdentity.storedName(name), uuid: uuid) }

    /// Parses `xml`, UTF-8 with or without a byte order mark. Throws `malformed` for malformed XML, `documentType`,
    /// `notDomain`, and `noName`.
    public init(xml: [UInt8]) throws(DomainXMLError) {
        try self.init(DomainXML(xml))
    }

    /// The facts in XML that has been parsed. Throws `noName`.
    public init(_ xml: DomainXML) throws(DomainXMLError) {
        let document = xml.document
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
        logFiles = document.logFiles
        vsockContext =
            document.children(of: document.root, named: "devices")
            .flatMap { document.children(of: $0, named: "vsock") }
            .flatMap { document.children(of: $0, named: "cid") }
            .compactMap { $0.attribute("address").flatMap { UInt32($0.value) } }.first
    }
}
