// SPDX-License-Identifier: Apache-2.0

import Glibc
public import HTTPAPI
public import SystemIO

/// `guestlog kubevirt webhook`: serves the admission webhook until SIGTERM or SIGINT.
public final class WebhookDaemon {
    private let address: NetworkAddress
    private let admission: PodAdmission
    private let certificate: String
    private let key: String
    private let diagnostics: Diagnostics

    /// A daemon that listens at `address`, with the PEM files `certificate`, the whole chain, and `key`.
    public init(
        _ address: NetworkAddress,
        certificate: String,
        key: String,
        admission: PodAdmission,
        logLevel: DiagnosticLevel
    ) {
        self.address = address
        self.certificate = certificate
        self.key = key
        self.admission = admission
        diagnostics = Diagnostics(threshold: logLevel)
    }

    /// Runs until a signal ends it. Throws when the address or the certificate cannot be used.
    public func run() throws {
        let signals = try SignalQueue([SIGTERM, SIGINT])
        let identity = try TLSIdentity(certificate: certificate, key: key)
        let socket = try address.listen()
        let boundAddress = NetworkAddress(boundTo: socket.raw) ?? address
        let watch = CertificateWatch(identity, at: [certificate, key], diagnostics: diagnostics)
        _ = try WorkerThread(name: "certificate") { watch.run() }
        let webhook = AdmissionWebhook(admission, identity: identity, diagnostics: diagnostics)
        let raw = socket.release()
        let serving = Task(priority: .medium) { [diagnostics] in
            do {
                try await webhook.run(on: Descriptor(owning: raw))
            } catch is CancellationError {
                // By the signal.
            } catch {
                diagnostics.log(.error, "the webhook stopped: \(error)")
                _exit(EXIT_FAILURE)
            }
        }
        diagnostics.log(.notice, "the webhook serves at https://\(boundAddress)\(AdmissionWebhook.path)")
        _ = signals.next()
        serving.cancel()
        watch.stop()
        diagnostics.flush()
    }
}
