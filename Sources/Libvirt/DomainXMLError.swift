// SPDX-License-Identifier: Apache-2.0

/// Why a domain's XML could not be parsed or edited, and the remedy. The text contains nothing of the XML, so it is
/// safe to show.
public enum DomainXMLError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The bytes are not XML; `what` was found at byte `offset`, from 0.
    case malformed(offset: Int, what: String)
    /// There is a `<!DOCTYPE` at byte `offset`. Its entities are never expanded.
    case documentType(offset: Int)
    /// The root element is not `<domain>`.
    case notDomain
    /// The domain has no `<name>`, or an empty one.
    case noName
    /// The domain has no `<devices>`.
    case noDevices
    /// The domain has neither a `<serial>` nor a `<console>` that represents one.
    case noSerial
    /// The serial device is of type `file`.
    case alreadyFile
    /// The log's path is not valid, for this reason.
    case invalidPath(reason: String)

    public var description: String {
        switch self {
        case .malformed(let offset, let what):
            "not well-formed XML at byte \(offset): \(what)"
        case .documentType(let offset):
            "a document type declaration at byte \(offset): a domain does not need one; remove <!DOCTYPE …>"
        case .notDomain:
            "the root element is not <domain>; give one domain's XML, as 'virsh dumpxml --inactive' prints it"
        case .noName:
            "the domain has no <name>; give one domain's XML, as 'virsh dumpxml' prints it"
        case .noDevices:
            "the domain has no <devices>; add one with \(Self.serial) in it"
        case .noSerial:
            "the domain has no serial console; add \(Self.serial) to its <devices>"
        case .alreadyFile:
            "the serial console is of type 'file': libvirt writes that file through its log daemon already; "
                + "make the type 'pty' to have a <log> instead"
        case .invalidPath(let reason):
            "the log's file cannot be used: \(reason)"
        }
    }

    private static let serial = "<serial type='pty'><target port='0'/></serial>"
}
