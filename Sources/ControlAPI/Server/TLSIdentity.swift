import NIOSSL
import Synchronization

/// The certificate and the key by which this daemon is known over TLS.
public final class TLSIdentity: Sendable {
    private let certificate: String
    private let key: String
    private let current: Mutex<NIOSSLContext>

    /// One of the files cannot be used.
    public struct Unusable: Error, CustomStringConvertible {
        public let description: String
    }

    /// The identity in two PEM files: `certificate` with the whole chain, the daemon's own first, and `key`.
    public init(certificate: String, key: String) throws(Unusable) {
        self.certificate = certificate
        self.key = key
        current = Mutex(try Self.context(certificate, key))
    }

    /// What connections to come are shown.
    var context: NIOSSLContext { current.withLock { $0 } }

    /// Reads both files again, for a certificate that was renewed; when they cannot be used, what was read before stays.
    public func reload() throws(Unusable) {
        let fresh = try Self.context(certificate, key)
        current.withLock { $0 = fresh }
    }

    private static func context(_ certificate: String, _ key: String) throws(Unusable) -> NIOSSLContext {
        let chain: [NIOSSLCertificate]
        do {
            chain = try NIOSSLCertificate.fromPEMFile(certificate)
        } catch {
            throw Unusable(description: "the certificate in \(certificate) cannot be read: \(error)")
        }
        let secret: NIOSSLPrivateKey
        do {
            secret = try NIOSSLPrivateKey(file: key, format: .pem)
        } catch {
            throw Unusable(description: "the key in \(key) cannot be read: \(error)")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(secret)
        )
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw Unusable(description: "the key in \(key) is not that of the certificate in \(certificate): \(error)")
        }
    }
}
