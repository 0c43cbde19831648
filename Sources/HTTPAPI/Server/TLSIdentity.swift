// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOSSL
import SystemIO
import Synchronization

/// The TLS certificate and key of the daemon.
public final class TLSIdentity: Sendable {
    private let certificate: String
    private let key: String
    private let current: Mutex<NIOSSLContext>

    /// One of the files cannot be used.
    public struct Unusable: Error, CustomStringConvertible {
        public let description: String
    }

    /// Reads two PEM files: `certificate` with the whole chain, the daemon's own first, and `key`.
    public init(certificate: String, key: String) throws(Unusable) {
        self.certificate = certificate
        self.key = key
        current = Mutex(try Self.context(certificate, key))
    }

    /// The TLS configuration for new connections.
    var context: NIOSSLContext { current.withLock { $0 } }

    /// Reads both files again after a renewal; when they cannot be used, the current ones stay in use.
    public func reload() throws(Unusable) {
        let fresh = try Self.context(certificate, key)
        current.withLock { $0 = fresh }
    }

    /// Why the key file's permissions are unsafe; nil when only its owner can read it.
    public var keyExposure: String? {
        guard let file = try? FileAttributes(following: key) else {
            return nil
        }
        return Self.exposure(of: key, file, user: geteuid(), groups: Self.groups)
    }

    /// Why the permissions of the file `key` are unsafe, for a daemon of that user and those groups.
    static func exposure(of key: String, _ file: FileAttributes, user: uid_t, groups: [gid_t]) -> String? {
        let permissions = file.permissions
        let isOwn = file.owner == user || user == 0
        // Another user's file is read as a member of its group.
        let isGroups = file.owner != user && groups.contains(file.group)
        let readers = [(S_IRGRP, "its group"), (S_IROTH, "every user")]
            .filter { permissions & $0.0 != 0 && !($0.0 == S_IRGRP && isGroups) }.map(\.1)
        guard !readers.isEmpty else {
            return nil
        }
        let mode = String(permissions, radix: 8)
        // What is advised leaves it readable for the daemon.
        let remedy = isOwn ? "chmod it to 0400" : isGroups ? "chmod it to 0640" : groupRemedy(key)
        return "the key in \(key) can be read by \(readers.joined(separator: " and by ")) (mode 0\(mode)); \(remedy)"
    }

    /// The groups of this process.
    private static var groups: [gid_t] {
        var others = [gid_t](repeating: 0, count: Int(max(0, getgroups(0, nil))))
        let count = getgroups(Int32(others.count), &others)
        return [getegid()] + others.prefix(Int(max(0, count)))
    }

    /// How the daemon can read the key of another user.
    private static func groupRemedy(_ key: String) -> String {
        "let the daemon's group read it, and no other: chgrp guestlog \(key) && chmod 0640 \(key)"
    }

    /// The cipher suites of TLS 1.2: those with forward secrecy and authenticated encryption (RFC 9325, section 4.2).
    private static let suites: [NIOTLSCipher] = [
        .TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, .TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        .TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, .TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        .TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, .TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ]

    private static func context(_ certificate: String, _ key: String) throws(Unusable) -> NIOSSLContext {
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMFile(certificate)
        } catch {
            let reason = Self.reason(error, certificate)
            throw Unusable(description: "the certificate in \(certificate) cannot be read: \(reason)")
        }
        let secret: NIOSSLPrivateKey
        do throws(SystemError) {
            _ = try PathHandle(key).open(O_RDONLY)
        } catch {
            let remedy = error.code == EACCES ? "; \(groupRemedy(key))" : ""
            throw Unusable(description: "the key in \(key) cannot be read: \(error.reason)\(remedy)")
        }
        do {
            secret = try NIOSSLPrivateKey(file: key, format: .pem)
        } catch {
            throw Unusable(description: "the key in \(key) cannot be read: \(reason(error, key))")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(secret)
        )
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuiteValues = suites
        configuration.applicationProtocols = ["http/1.1"]
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch NIOSSLError.failedToLoadPrivateKey {
            // Both can be read by themselves.
            throw Unusable(
                description: "the key in \(key) is not that of the certificate in \(certificate): use files that "
                    + "belong together, the daemon's own certificate first in its file"
            )
        } catch {
            throw Unusable(description: "\(certificate) cannot be used with the key in \(key): \(error)")
        }
    }

    /// Why the file at `path` cannot be used; NIOSSL says the same of a file that is absent as of one that is no PEM.
    private static func reason(_ error: any Error, _ path: String) -> String {
        guard access(path, R_OK) == 0 else {
            return String(cString: strerror(errno))
        }
        switch error {
        case NIOSSLError.failedToLoadCertificate: return "there is no PEM certificate in it"
        case NIOSSLError.failedToLoadPrivateKey:
            return "there is no PEM key without a passphrase in it; "
                + "'openssl pkey -in \(path) -out NEW' removes a passphrase"
        default: return "\(error)"
        }
    }
}
