// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// A failed call to libvirt: the operation and the reason.
struct LibvirtError: Error, Hashable, Sendable, CustomStringConvertible {
    enum Reason: Error, Hashable, Sendable {
        /// Connecting failed, or the socket has failed.
        case socket(SystemError)
        case closed
        case timedOut
        /// libvirt refused: its error number (`virErrorNumber`), and its message.
        case refused(code: Int32, message: String)
        /// The reply violates libvirt's protocol.
        case malformed
        /// libvirt requires an unsupported kind of authentication.
        case authentication
        case interrupted
    }

    /// The operation: `listing the domains`.
    var operation: String
    var reason: Reason

    /// `VIR_ERR_NO_DOMAIN`: there is no such domain.
    static let noDomain: Int32 = 42

    init(_ operation: String, _ reason: Reason) {
        self.operation = operation
        self.reason = reason
    }

    var description: String {
        switch reason {
        case .socket(let error): "\(operation): \(error)"
        case .closed: "\(operation): libvirt closed the connection"
        case .timedOut: "\(operation): libvirt does not answer"
        case .refused(_, let message): "\(operation): libvirt says: \(message)"
        case .malformed: "\(operation): the reply is malformed"
        case .authentication:
            "\(operation): libvirt requires a password; set auth_unix_ro = \"polkit\" or \"none\" in its configuration"
        case .interrupted: "\(operation): interrupted"
        }
    }
}

extension LibvirtError.Reason {
    /// The error in the body of a reply (`remote_error`), from its first fields.
    static func refusal(_ body: XDRReader) -> Self {
        var body = body
        do {
            let code = try body.signed()
            _ = try body.signed()
            let message = try body.optionalString(limit: RemoteProtocol.maximumString)
            return .refused(
                code: code,
                message: String(decoding: message ?? Array("error \(code)".utf8), as: UTF8.self)
            )
        } catch {
            return .malformed
        }
    }
}
