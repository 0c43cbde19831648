// SPDX-License-Identifier: Apache-2.0

import Libvirt
import SystemIO

/// An error result in libvirt's form (virnetprotocol.x, `virNetMessageError`; the codes are those of `virErrorNumber`
/// and `virErrorDomain`). libvirtd shows the message to the user who starts the VM.
struct LogManagerError: Error, Equatable {
    var code: Int32
    var domain: Int32
    var message: String
    /// The format of the message, and its argument.
    var pattern: String
    var detail: String
    var number: Int32

    private static let logging: Int32 = 63

    /// A system call failed (`VIR_ERR_SYSTEM_ERROR`); `what` names the operation, and `hint` what errno does not say.
    static func system(_ what: String, _ code: Int32, hint: String? = nil) -> LogManagerError {
        let text = "\(what): \(SystemError("", code: code).reason)\(hint.map { " (\($0))" } ?? "")"
        return LogManagerError(code: 38, domain: logging, message: text, pattern: "%s", detail: text, number: code)
    }

    /// An invalid request (`VIR_ERR_INTERNAL_ERROR`).
    static func `internal`(_ text: String) -> LogManagerError {
        let pattern = "internal error: "
        return LogManagerError(
            code: 1,
            domain: logging,
            message: pattern + text,
            pattern: pattern + "%s",
            detail: text,
            number: -1
        )
    }

    /// An invalid argument (`VIR_ERR_INVALID_ARG`).
    static func invalidArgument(_ text: String) -> LogManagerError {
        let pattern = "invalid argument: "
        return LogManagerError(
            code: 8,
            domain: logging,
            message: pattern + text,
            pattern: pattern + "%s",
            detail: text,
            number: -1
        )
    }

    /// A message of another protocol (`VIR_ERR_RPC`).
    static func rpc(_ text: String) -> LogManagerError {
        LogManagerError(code: 39, domain: 7, message: text, pattern: "%s", detail: text, number: -1)
    }

    var payload: [UInt8] {
        var writer = XDRWriter()
        writer.put(code)
        writer.put(domain)
        writer.put(optional: message)
        // VIR_ERR_ERROR; no domain.
        writer.put(Int32(2))
        writer.put(UInt32(0))
        writer.put(optional: pattern)
        writer.put(optional: detail)
        writer.put(optional: nil)
        writer.put(number)
        writer.put(Int32(-1))
        // No network.
        writer.put(UInt32(0))
        return writer.bytes
    }
}
