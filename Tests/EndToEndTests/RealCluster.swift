// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import Testing

/// A real kube-apiserver with etcd, without nodes, and the real kubectl.
///
/// `scripts/kube-apiserver` builds it. Pods are never started: tests set their status, and a stand-in for the kubelet
/// has their logs.
final class RealCluster {
    /// The folder of kube-apiserver; `scripts/test kubernetes` sets it.
    static let server = Program.variable("GUESTLOG_KUBE_APISERVER")
    static var isPossible: Bool { server != nil && KubernetesClients.folder != nil }

    let folder = TemporaryFolder()
    private var etcd: ChildProcess?
    private var apiServer: ChildProcess?
    private var calls = 0
    private let address: NetworkAddress
    private let store: NetworkAddress
    private var starts = 0

    /// The users' tokens, which are their names.
    private static let users = """
        admin,admin,1,system:masters
        alice,alice,2
        bob,bob,3
        webhook,webhook,4
        node,node,5

        """

    init() throws {
        let path = folder.path
        address = try ComputeHost.freeAddress(from: 16_443)
        let store = try ComputeHost.freeAddress(from: 12_379)
        let peer = try ComputeHost.freeAddress(from: 22_380)
        self.store = store
        FileText.write(Self.users, to: path + "/tokens.csv")
        for words in [
            ["genrsa", "-out", "sa.key", "2048"], ["rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub"],
        ] {
            #expect(ChildProcess(["openssl"] + words, name: "openssl", in: path).wait() == 0)
        }
        etcd = ChildProcess(
            [
                "etcd", "--data-dir", path + "/etcd", "--listen-client-urls", "http://\(store)",
                "--advertise-client-urls", "http://\(store)", "--listen-peer-urls", "http://\(peer)",
                "--initial-advertise-peer-urls", "http://\(peer)", "--initial-cluster", "default=http://\(peer)",
            ],
            name: "etcd",
            in: path
        )
        symlink(Program.guestlog, path + "/kubectl-guestlog")
        FileText.write(configuration(), to: path + "/config")
        startServer()
    }

    /// Starts the API server, and waits until it answers.
    private func startServer() {
        starts += 1
        apiServer = ChildProcess(
            [
                (Self.server ?? "") + "/kube-apiserver", "--etcd-servers", "http://\(store)",
                "--secure-port", String(address.port), "--bind-address", "127.0.0.1", "--cert-dir",
                path + "/certificates",
                "--service-account-issuer", "https://cluster.test", "--service-account-signing-key-file",
                path + "/sa.key",
                "--service-account-key-file", path + "/sa.pub", "--token-auth-file", path + "/tokens.csv",
                "--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.0.0.0/24", "--allow-privileged",
                // Nothing creates the tokens of service accounts here.
                "--disable-admission-plugins", "ServiceAccount",
            ],
            name: "apiserver-\(starts)",
            in: path
        )
        #expect(
            eventually(within: 120) { kubectl("get", "--raw", "/readyz").status == 0 },
            "\(apiServer?.standardError.suffix(2000) ?? "")"
        )
    }

    /// Has another API server take the place of this one, which knows nothing of its watches.
    func restartServer() {
        apiServer?.stop(SIGKILL)
        startServer()
    }

    deinit {
        apiServer?.stop()
        etcd?.stop()
    }

    var path: String { folder.path }

    /// kubectl's configuration for `user`, or for one that the command line names.
    private func configuration(of user: String? = nil) -> String {
        let users = user.map { "users: [{name: \($0), user: {token: \($0)}}]" } ?? ""
        let own = user.map { ", user: \($0)" } ?? ""
        return """
            current-context: test
            contexts: [{name: test, context: {cluster: test, namespace: simone\(own)}}]
            clusters: [{name: test, cluster: {server: 'https://\(address)', certificate-authority: certificates/apiserver.crt}}]
            \(users)

            """
    }

    /// The path of the configuration of `user`.
    func configurationFile(of user: String) -> String {
        FileText.write(configuration(of: user), to: path + "/config-" + user)
        return path + "/config-" + user
    }

    struct Answer {
        let status: Int32
        let text: String
        let standardError: String
    }

    /// Runs kubectl as `user`, with `input`.
    func kubectl(as user: String = "admin", _ words: String..., input: String = "") -> Answer {
        let child = begin([KubernetesClients.path(of: "kubectl"), "--cache-dir", path + "/cache"], as: user, words)
        child.send(input)
        child.closeInput()
        return Answer(status: child.wait(), text: child.text, standardError: child.standardError)
    }

    /// Starts the plug-in as `user`.
    func beginPlugin(as user: String, _ words: String...) -> ChildProcess {
        begin([path + "/kubectl-guestlog"], as: user, words)
    }

    private func begin(_ program: [String], as user: String, _ words: [String]) -> ChildProcess {
        calls += 1
        let variables = ["KUBECONFIG": path + "/config", "TMPDIR": path]
        // Behind the subcommand, where both accept options.
        let command = program + words + ["--token", user]
        return ChildProcess(command, name: "call-\(calls)", in: path, environment: variables)
    }

    /// Applies manifests.
    func apply(_ manifests: String) {
        let applied = kubectl("apply", "-f", "-", input: manifests)
        #expect(applied.status == 0, "\(applied.standardError)")
    }

    // MARK: - KubeVirt

    /// KubeVirt's types, without their schemas.
    static let types =
        ["VirtualMachineInstance", "VirtualMachine"].map { kind in
            let name = kind.lowercased()
            return """
                apiVersion: apiextensions.k8s.io/v1
                kind: CustomResourceDefinition
                metadata: {name: \(name)s.kubevirt.io}
                spec:
                  group: kubevirt.io
                  scope: Namespaced
                  names: {plural: \(name)s, singular: \(name), kind: \(kind)}
                  versions:
                    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
                """
        }.joined(separator: "\n---\n") + "\n"

    /// Makes KubeVirt's types, and namespaces for VMs.
    func installKubeVirt(namespaces: [String]) throws {
        apply(Self.types)
        for namespace in namespaces {
            #expect(kubectl("create", "namespace", namespace).status == 0)
        }
        #expect(eventually { kubectl("get", "virtualmachineinstances", "-A").status == 0 })
    }

    /// Creates a VirtualMachineInstance; returns its UID.
    func createInstance(_ name: String, in namespace: String = "simone", log: Bool) -> String {
        apply(
            """
            apiVersion: kubevirt.io/v1
            kind: VirtualMachineInstance
            metadata: {name: \(name), namespace: \(namespace)}
            spec: {domain: {devices: {logSerialConsole: \(log)}}}

            """
        )
        return kubectl("get", "virtualmachineinstances", name, "-n", namespace, "-o", "jsonpath={.metadata.uid}").text
    }

    /// A virt-launcher pod as virt-controller creates it.
    func launcher(_ name: String, of vm: String, _ uid: String, in namespace: String = "simone", extra: String = "")
        -> String
    {
        """
        apiVersion: v1
        kind: Pod
        metadata:
          name: \(name)
          namespace: \(namespace)
          labels: {kubevirt.io: virt-launcher, kubevirt.io/created-by: \(uid)}
          annotations: {kubevirt.io/domain: \(vm)}
        spec:
          containers: [{name: compute, image: 'kubevirt/virt-launcher:v1.9.0'}]
          volumes: [{name: private, emptyDir: {}}]
          automountServiceAccountToken: false
          \(extra)

        """
    }

    /// The names of a pod's containers.
    func containers(of pod: String) -> [String] {
        kubectl("get", "pod", pod, "-n", "simone", "-o", "jsonpath={.spec.containers[*].name}").text
            .split(separator: " ").map(String.init)
    }
}
