// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import GuestlogService
import HTTPAPI
import KubeVirt
import Kubernetes
import LogModel
import SystemIO

/// The mutating admission webhook.
struct WebhookCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhook",
        abstract: "Serve the admission webhook that gives virt-launcher pods the container guest-console-log.",
        discussion: """
            Answers AdmissionReviews (admission.k8s.io/v1) at /mutate-pod, over TLS. Every pod is allowed; one that cannot \
            be changed is reported. The certificate is read again when its files change. packaging/kubevirt has the \
            manifests.
            """
    )

    @Option(help: ArgumentHelp("The address to listen at.", valueName: "address:port"))
    var listen: String = "[::]:8443"

    @Option(
        help: ArgumentHelp("The PEM file of the certificate and its chain.", valueName: "file"),
        completion: .file()
    )
    var certificate: String = "/etc/guestlog/tls/tls.crt"

    @Option(help: ArgumentHelp("The PEM file of the certificate's key.", valueName: "file"), completion: .file())
    var key: String = "/etc/guestlog/tls/tls.key"

    @Option(help: "Whether VMs that do not set logSerialConsole are logged: on or off.")
    var clusterDefault: ClusterDefault = .on

    @Flag(help: "Read the VirtualMachineInstance of a pod from the Kubernetes API.")
    var lookUp = false

    @Option(
        help: ArgumentHelp("kubectl's configuration file for that (KUBECONFIG).", valueName: "file"),
        completion: .file()
    )
    var kubeconfig: String?

    @Flag(help: "Report every pod, not only failures.")
    var verbose = false

    @OptionGroup var patch: PatchOptions

    func run() throws {
        guard let address = NetworkAddress(listen) else {
            throw ValidationError("--listen \(listen): must be ADDRESS:PORT, such as 0.0.0.0:8443 or [::1]:8443")
        }
        let admission = PodAdmission(
            settings: patch.settings,
            clusterDefault: clusterDefault.isOn,
            instance: lookUp ? try instances() : nil
        )
        let daemon = WebhookDaemon(
            address,
            certificate: certificate,
            key: key,
            admission: admission,
            logLevel: verbose ? .info : .notice
        )
        try daemon.run()
    }

    /// Reads VirtualMachineInstances by namespace and name.
    private func instances() throws -> @Sendable (String, String) async throws -> JSON {
        var options = ClusterAccess.Options()
        options.file = kubeconfig
        let client = KubernetesClient(try ClusterAccess(options))
        return { namespace, name in
            let path = ["apis", "kubevirt.io", "v1", "namespaces", namespace, "virtualmachineinstances", name]
            return try await client.get(KubernetesClient.Target(path))
        }
    }
}
