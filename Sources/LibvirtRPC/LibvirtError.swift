import SystemIO

/// What was being asked of libvirt, and why there is no answer.
public struct LibvirtError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Why.
    public enum Reason: Error, Hashable, Sendable {
        /// The socket cannot be connected to, or has failed.
        case socket(SystemError)
        /// libvirt closed the connection.
        case closed
        /// libvirt did not answer in time.
        case timedOut
        /// libvirt said no: its number for that (`virErrorNumber`), and its words.
        case refused(code: Int32, message: String)
        /// The answer is none that libvirt's protocol allows.
        case malformed
        /// libvirt wants to know who asks in a way that we do not know.
        case authentication
        /// The wait was ended from another thread.
        case interrupted
    }

    /// What was being done: `listing the domains`.
    public var operation: String
    /// Why it was not.
    public var reason: Reason

    /// `VIR_ERR_NO_DOMAIN`: there is no such domain, or there is none any more.
    public static let noDomain: Int32 = 42

    init(_ operation: String, _ reason: Reason) {
        self.operation = operation
        self.reason = reason
    }

    public var description: String {
        switch reason {
        case .socket(let error): "\(operation): \(error)"
        case .closed: "\(operation): libvirt closed the connection"
        case .timedOut: "\(operation): libvirt does not answer"
        case .refused(_, let message): "\(operation): libvirt says: \(message)"
        case .malformed: "\(operation): the answer is none of libvirt's"
        case .authentication:
            "\(operation): libvirt wants a password; set auth_unix_ro = \"polkit\" or \"none\" in its configuration"
        case .interrupted: "\(operation): interrupted"
        }
    }
}

extension LibvirtError.Reason {
    /// The refusal in the body of a reply (`remote_error`), of which the first fields say all.
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
