/// The words of libvirt's remote protocol that we use (remote_protocol.x); what each call takes and gives is told there
/// under `remote_…_args` and `remote_…_ret`.
enum RemoteProtocol {
    /// `REMOTE_PROGRAM`.
    static let program: UInt32 = 0x2000_8086

    /// What can be asked.
    enum Procedure: Int32 {
        case connectOpen = 1
        case domainGetXMLDescription = 14
        case authList = 66
        case authPolkit = 70
        case connectListAllDomains = 273
        case connectDomainEventCallbackRegisterAny = 316
    }

    /// What libvirt tells without being asked.
    enum EventMessage: Int32 {
        case lifecycle = 318
        case metadataChange = 379
    }

    /// What can be registered for (`virDomainEventID`).
    enum EventID: Int32 {
        /// Defined, undefined, started, suspended, resumed, stopped, shut down, crashed.
        case lifecycle = 0
        /// The title, the description, or an element of the metadata. Since libvirt 3.0.
        case metadataChange = 23
    }

    /// The driver that a system's QEMU domains are of.
    static let uri = "qemu:///system"
    /// `VIR_CONNECT_RO`.
    static let readOnly: UInt32 = 1
    /// Who may ask (`remote_auth_type`).
    enum Authentication: Int32 {
        /// Whoever can connect.
        case none = 0
        /// Whom polkit, asked by libvirt, lets; there is nothing for the client to say. What libvirt installs lets
        /// everybody read.
        case polkit = 2
    }

    /// Longest string (`REMOTE_STRING_MAX`), and so the longest XML.
    static let maximumString = 4_194_304
    /// Most domains in a list (`REMOTE_DOMAIN_LIST_MAX`).
    static let maximumDomains = 16_384
    /// Most kinds of authentication in a list (`REMOTE_AUTH_TYPE_LIST_MAX`).
    static let maximumAuthentications = 20
}
