// SPDX-License-Identifier: Apache-2.0

/// The constants of libvirt's remote protocol that are used here (remote_protocol.x); the arguments and results of each
/// call are defined there as `remote_…_args` and `remote_…_ret`.
enum RemoteProtocol {
    /// `REMOTE_PROGRAM`.
    static let program: UInt32 = 0x2000_8086

    enum Procedure: Int32 {
        case connectOpen = 1
        case domainGetXMLDescription = 14
        case authList = 66
        case authPolkit = 70
        case connectListAllDomains = 273
        case connectDomainEventCallbackRegisterAny = 316
    }

    /// Unsolicited messages.
    enum EventMessage: Int32 {
        case lifecycle = 318
        case metadataChange = 379
    }

    /// Events to register for (`virDomainEventID`).
    enum EventID: Int32 {
        /// Defined, undefined, started, suspended, resumed, stopped, shut down, crashed.
        case lifecycle = 0
        /// The title, the description, or an element of the metadata. Since libvirt 3.0.
        case metadataChange = 23
    }

    /// The driver of a system's QEMU domains.
    static let uri = "qemu:///system"
    /// `VIR_CONNECT_RO`.
    static let readOnly: UInt32 = 1
    /// The required authentication (`remote_auth_type`).
    enum Authentication: Int32 {
        /// None.
        case none = 0
        /// polkit, called by libvirt; the client need not send anything. libvirt's default policy allows everyone to
        /// read.
        case polkit = 2
    }

    /// Maximum size of a string (`REMOTE_STRING_MAX`), and so of XML.
    static let maximumString = 4_194_304
    /// Maximum number of domains in a list (`REMOTE_DOMAIN_LIST_MAX`).
    static let maximumDomains = 16_384
    /// Maximum number of kinds of authentication in a list (`REMOTE_AUTH_TYPE_LIST_MAX`).
    static let maximumAuthentications = 20
}
