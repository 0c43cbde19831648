// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// The errors of NIO, NIOSSL and the name service in words: what failed, why, and what to do.
enum ConnectionFailure {
    /// The error that ends a connection to `peer`, after `error` was caught in the pipeline of `channel`. On its event loop.
    static func error(_ error: any Error, of peer: String, on channel: any Channel) -> HTTPClientError {
        switch error {
        case let error as HTTPClientError:
            return error
        case NIOSSLError.uncleanShutdown, HTTPParserError.invalidEOFState:
            return HTTPClientError(.closed, "\(peer) closed the connection")
        case is HTTPParserError:
            return HTTPClientError(.protocolViolation, "\(peer) does not answer in HTTP/1.1: \(error)")
        case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError:
            let certificate = try? channel.pipeline.syncOperations.nioSSL_peerCertificate()
            return HTTPClientError(.tls, "\(peer): TLS: \(words(error, certificate: certificate))")
        case let error as IOError where error.errnoCode == ECONNRESET && peer.hasPrefix("http://"):
            let remedy = "if the server speaks TLS at this port, use https:// in the URL"
            return HTTPClientError(.closed, "\(peer): \(words(error)); \(remedy)")
        default:
            return HTTPClientError(.closed, "\(peer): \(words(error))")
        }
    }

    /// The reason of an error. `certificate` is what the server has shown, if it has.
    static func words(_ error: any Error, certificate: NIOSSLCertificate? = nil) -> String {
        switch error {
        case let error as NIOConnectionError:
            if error.connectionErrors.isEmpty, let failure = error.dnsAError ?? error.dnsAAAAError {
                return words(failure)
            }
            return error.connectionErrors.first.map { words($0.error) } ?? "\(error)"
        case let error as SocketAddressError.UnknownHost:
            return "the name \(error.host) cannot be resolved: \(error.errorDescription); "
                + "check the name, and the name servers of this host"
        case let error as IOError where error.errnoCode == EPERM:
            return "this host forbids it: a firewall, or IPAddressDeny= of the systemd unit (see IPAddressAllow=)"
        case let error as IOError:
            return String(cString: strerror(error.errnoCode))
        case ChannelError.connectTimeout:
            return "no answer in time"
        case ChannelError.ioOnClosedChannel, ChannelError.alreadyClosed, ChannelError.eof:
            return "the connection was closed"
        case NIOSSLError.handshakeFailed(let error):
            return handshake("\(error)", certificate)
        case let error as BoringSSLError:
            // With TLS 1.3 a server refuses a client's certificate after the client's handshake.
            return handshake("\(error)", certificate)
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            return "the server's certificate is for another name: use a name that is in it, or set server-name"
        default:
            return "\(error)"
        }
    }

    /// What a request that was not answered in time may have met; empty when there is nothing to say. On the event loop.
    static func hint(onTimeoutOf channel: any Channel) -> String {
        guard let certificate = try? Optional.some(channel.pipeline.syncOperations.nioSSL_peerCertificate()) else {
            return ""
        }
        return certificate == nil ? "; the TLS handshake has not ended: check that the port is one for TLS" : ""
    }

    // MARK: - TLS

    /// What BoringSSL's errors of a handshake say, by a part of their names.
    private static let handshakeErrors = [
        ("EOF during", "the server closed the connection in the handshake: check that the port is one for TLS"),
        ("WRONG_VERSION_NUMBER", "the server does not speak TLS at this port: use another port, or no TLS"),
        ("HTTP_REQUEST", "the server does not speak TLS at this port: use another port, or no TLS"),
        ("UNSUPPORTED_PROTOCOL", "the server does not support TLS 1.2 or later"),
        ("PROTOCOL_VERSION", "the server does not support TLS 1.2 or later"),
        ("CERTIFICATE_REQUIRED", "the server requires a certificate of the client: set certificate and key"),
        ("UNKNOWN_CA", "the server does not trust the CA of the client's certificate: use one that it trusts"),
        ("ALERT_BAD_CERTIFICATE", refused), ("ALERT_UNSUPPORTED_CERTIFICATE", refused),
        ("ALERT_CERTIFICATE_EXPIRED", "the client's certificate has expired: renew it"),
        ("ALERT_CERTIFICATE_REVOKED", refused), ("ALERT_CERTIFICATE_UNKNOWN", refused),
        ("UNRECOGNIZED_NAME", "the server has no certificate for this name: set server-name"),
        (
            "HANDSHAKE_FAILURE",
            "the server refuses the handshake: it may require a client's certificate, or other ciphers"
        ),
    ]
    private static let refused = "the server refuses the client's certificate: check certificate and key"

    private static func handshake(_ text: String, _ certificate: NIOSSLCertificate?) -> String {
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return certificate.map(verification) ?? "the server's certificate is not trusted"
        }
        if let known = handshakeErrors.first(where: { text.contains($0.0) }) {
            return known.1
        }
        // `error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER at /…/tls_record.cc:231`
        let names = text.matches(of: /OPENSSL_internal:([A-Z0-9_]+)/).map { String($0.1) }
        return "the handshake failed" + (names.isEmpty ? "" : ": " + names.joined(separator: ", "))
    }

    /// Why a certificate is not accepted, by its dates.
    private static func verification(_ certificate: NIOSSLCertificate) -> String {
        func words(_ time: time_t) -> String { Timestamp(microseconds: Int64(time) * 1_000_000).description }
        let now = Glibc.time(nil)
        if certificate.notValidAfter < now {
            return "the server's certificate has expired on \(words(certificate.notValidAfter)): renew it"
        }
        if certificate.notValidBefore > now {
            return "the server's certificate is not valid before \(words(certificate.notValidBefore)): "
                + "check the clock of this host"
        }
        return "the server's certificate is not signed by a trusted CA: set ca (in a kubeconfig "
            + "certificate-authority) to a PEM file with its CA, and have the server send its intermediate certificates"
    }
}
