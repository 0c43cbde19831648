// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOConcurrencyHelpers
import NIOSSL

/// A PEM text, or a file with one. A file is read again when it has changed.
public enum PEMSource: Hashable, Sendable {
    case text(String)
    case file(String)
}

/// The settings of TLS for a client.
public struct TLSClientSettings: Hashable, Sendable {
    /// The CAs that are trusted; nil: those of the system.
    public var authorities: PEMSource?
    /// The client's own certificate chain, its own certificate first.
    public var certificate: PEMSource?
    /// The key of that certificate.
    public var key: PEMSource?
    /// The name that the server's certificate must have; nil: the host that is connected to.
    public var serverName: String?
    /// Whether the server's certificate is not verified at all: for tests.
    public var isUnverified = false

    public init() {}
}

/// Makes NIOSSL's contexts from settings: once, and again when a file has changed.
final class TLSClientContexts: Sendable {
    private struct Made {
        var context: NIOSSLContext
        var versions: [FileVersion?]
    }

    private struct FileVersion: Equatable {
        var inode: UInt64
        var modified: Int
        var nanoseconds: Int
        var size: Int

        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else {
                return nil
            }
            inode = UInt64(status.st_ino)
            modified = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
            size = Int(status.st_size)
        }
    }

    let settings: TLSClientSettings
    private let made = NIOLockedValueBox<Made?>(nil)

    init(_ settings: TLSClientSettings) {
        self.settings = settings
    }

    /// The context for a new connection.
    func context() throws(HTTPClientError) -> NIOSSLContext {
        let files = [settings.authorities, settings.certificate, settings.key].map { source -> String? in
            if case .file(let path)? = source { path } else { nil }
        }
        let versions = files.map { $0.flatMap(FileVersion.init) }
        if let made = made.withLockedValue({ $0 }), made.versions == versions {
            return made.context
        }
        let context = try make()
        made.withLockedValue { $0 = Made(context: context, versions: versions) }
        return context
    }

    private func make() throws(HTTPClientError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        if settings.isUnverified {
            configuration.certificateVerification = .none
        }
        if let authorities = settings.authorities {
            configuration.trustRoots = .certificates(try Self.certificates(authorities, "the CA bundle"))
        }
        if let certificate = settings.certificate, let key = settings.key {
            configuration.certificateChain = try Self.certificates(certificate, "the client's certificate")
                .map { .certificate($0) }
            configuration.privateKey = .privateKey(try Self.key(key))
        }
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            guard let key = settings.key, let certificate = settings.certificate,
                error as? NIOSSLError == .failedToLoadPrivateKey
            else {
                throw HTTPClientError(.tls, "the settings of TLS cannot be used: \(ConnectionFailure.words(error))")
            }
            // Both can be read by themselves.
            throw HTTPClientError(
                .tls,
                "the client's key\(Self.location(key)) is not that of the client's certificate"
                    + "\(Self.location(certificate)): use files that belong together"
            )
        }
    }

    private static func certificates(_ source: PEMSource, _ what: String) throws(HTTPClientError) -> [NIOSSLCertificate]
    {
        do {
            switch source {
            case .text(let text): return try NIOSSLCertificate.fromPEMBytes(Array(text.utf8))
            case .file(let path): return try NIOSSLCertificate.fromPEMFile(path)
            }
        } catch {
            throw HTTPClientError(.tls, "\(what)\(location(source)) cannot be used: \(reason(error, source))")
        }
    }

    private static func key(_ source: PEMSource) throws(HTTPClientError) -> NIOSSLPrivateKey {
        do {
            switch source {
            case .text(let text): return try NIOSSLPrivateKey(bytes: Array(text.utf8), format: .pem)
            case .file(let path): return try NIOSSLPrivateKey(file: path, format: .pem)
            }
        } catch {
            throw HTTPClientError(.tls, "the client's key\(location(source)) cannot be used: \(reason(error, source))")
        }
    }

    /// Why a PEM text cannot be used; NIOSSL says the same of a file that is absent as of one that is no PEM.
    private static func reason(_ error: any Error, _ source: PEMSource) -> String {
        if case .file(let path) = source, access(path, R_OK) != 0 {
            return String(cString: strerror(errno))
        }
        switch error {
        case NIOSSLError.failedToLoadCertificate: return "there is no PEM certificate in it"
        case NIOSSLError.failedToLoadPrivateKey: return "there is no PEM key without a passphrase in it"
        default: return ConnectionFailure.words(error)
        }
    }

    private static func location(_ source: PEMSource) -> String {
        if case .file(let path) = source { " in \(path)" } else { "" }
    }
}
