// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import Testing

/// Programs from PyPI: kubectl, kubernetes-validate, and a python3 with jsonpatch and yaml.
enum KubernetesClients {
    /// Their folder; `scripts/test` makes it.
    static let folder = Program.variable("GUESTLOG_KUBERNETES_CLIENTS")

    static func path(of program: String) -> String { (folder ?? "") + "/" + program }
}

/// A stand-in for the Kubernetes API of a cluster with VMs (Clients/kube_api.py), and both of its clients: the real
/// kubectl and the plug-in.
final class StandInCluster {
    static let uid = "bf9afcc1-fe55-4f63-919a-807b59efff76"

    let folder = TemporaryFolder()
    private let server: ChildProcess
    private(set) var port = ""
    private var calls = 0
    let plugin: String

    /// Starts the server; with `tls`, the paths of its certificate and key and of the CA of its clients, over TLS.
    init(tls: [String] = []) throws {
        let script = Program.repository + "/Tests/EndToEndTests/Clients/kube_api.py"
        server = ChildProcess(
            [KubernetesClients.path(of: "python3"), script, folder.path] + tls,
            name: "server",
            in: folder.path
        )
        plugin = folder.path + "/kubectl-guestlog"
        symlink(Program.guestlog, plugin)
        let server = server
        #expect(eventually { server.text.hasSuffix("\n") || server.hasEnded }, "\(server.standardError)")
        port = server.text.split(separator: "\n").first.map(String.init) ?? ""
        FileText.write(configuration(server: "http://127.0.0.1:\(port)"), to: folder.path + "/config")
    }

    /// kubectl's configuration, whose user has the members `user`.
    func configuration(server: String, cluster: String = "", user: String = "{}") -> String {
        """
        apiVersion: v1
        kind: Config
        current-context: test
        contexts: [{name: test, context: {cluster: test, user: test, namespace: shop}}]
        clusters: [{name: test, cluster: {server: '\(server)'\(cluster)}}]
        users: [{name: test, user: \(user)}]

        """
    }

    // MARK: - Objects

    private func write(_ object: String, as name: String) {
        // A rename: the server never reads a part.
        FileText.write(object, to: folder.path + "/object")
        rename(folder.path + "/object", folder.path + "/objects/" + name + ".json")
    }

    /// Has the cluster have a virt-launcher pod.
    func pod(
        _ name: String,
        of vm: String = "web",
        namespace: String = "shop",
        instance: String = uid,
        uid: String? = nil,
        created: String = "2026-08-01T10:00:00Z",
        phase: String = "Running",
        labels: String = "",
        container: String? = #"{"name":"guest-console-log"}"#
    ) {
        let state =
            phase == "Running" ? #"{"running":{}}"# : phase == "Pending" ? #"{"waiting":{}}"# : #"{"terminated":{}}"#
        write(
            """
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"\(name)","namespace":"\(namespace)","uid":"\(uid ?? "uid-\(name)")",
              "creationTimestamp":"\(created)",
              "labels":{"kubevirt.io":"virt-launcher","kubevirt.io/created-by":"\(instance)"\(labels)},
              "annotations":{"kubevirt.io/domain":"\(vm)"}},
             "spec":{"nodeName":"node-\(name)","containers":[{"name":"compute"}],
              "initContainers":[\(container ?? "")]},
             "status":{"phase":"\(phase)","initContainerStatuses":[{"name":"guest-console-log","state":\(state)}]}}
            """,
            as: "pod-" + name
        )
    }

    func removePod(_ name: String) {
        unlink(folder.path + "/objects/pod-\(name).json")
    }

    /// Has the cluster have a VM, and its running instance, with those devices.
    func vm(_ name: String = "web", devices: String = "", isRunning: Bool = true) {
        let kinds = ["VirtualMachine"] + (isRunning ? ["VirtualMachineInstance"] : [])
        for kind in kinds {
            write(
                """
                {"apiVersion":"kubevirt.io/v1","kind":"\(kind)","metadata":{"name":"\(name)","namespace":"shop","uid":"\(kind)"},
                 "spec":{"domain":{"devices":{\(devices)}}}}
                """,
                as: kind + "-" + name
            )
        }
    }

    // MARK: - Logs

    /// Appends a line to the log of a pod; `second` is that after 10 o'clock.
    func log(_ pod: String, _ text: String, at second: Int, nanosecond: Int = 0) {
        log(pod, [(text, second, nanosecond)])
    }

    func log(_ pod: String, _ lines: [(text: String, second: Int, nanosecond: Int)]) {
        let text = lines.map { line in
            let time = Int64(1_785_578_400 + line.second) * 1_000_000_000 + Int64(line.nanosecond)
            return Timestamp.rfc3339(nanoseconds: time) + " " + line.text + "\n"
        }
        let file = fopen(folder.path + "/logs/\(pod).log", "a")
        defer { fclose(file) }
        fputs(text.joined(), file)
    }

    /// Has requests for the log of a pod refused from now on.
    func refuse(_ pod: String, _ status: Int, _ message: String) {
        FileText.write("\(status) \(message)", to: folder.path + "/logs/\(pod).refused")
    }

    /// Has them answered again.
    func permit(_ pod: String) {
        unlink(folder.path + "/logs/\(pod).refused")
    }

    /// The requests that the server has had.
    var requests: [String] {
        FileText.text(folder.path + "/requests").split(separator: "\n").map(String.init)
    }

    // MARK: - Clients

    /// Starts the plug-in, as an ordinary user's.
    func begin(_ words: String..., environment: [String: String] = [:]) -> ChildProcess {
        calls += 1
        let variables = ["KUBECONFIG": folder.path + "/config", "TMPDIR": folder.path].merging(environment) { $1 }
        let command = Program.unprivileged + [plugin] + words
        return ChildProcess(command, name: "call-\(calls)", in: folder.path, environment: variables)
    }

    /// Starts the real kubectl, which finds the plug-in, with the words of a shell.
    func beginKubectl(shell words: some StringProtocol) -> ChildProcess {
        calls += 1
        let variables = [
            "KUBECONFIG": folder.path + "/config", "TMPDIR": folder.path,
            "PATH": folder.path + ":" + (KubernetesClients.folder ?? "") + ":" + (Program.variable("PATH") ?? ""),
        ]
        let command = ["sh", "-c", "exec kubectl " + words]
        return ChildProcess(command, name: "shell-\(calls)", in: folder.path, environment: variables)
    }

    /// Starts the real kubectl.
    func beginKubectl(_ words: String...) -> ChildProcess {
        calls += 1
        let command = [KubernetesClients.path(of: "kubectl"), "--cache-dir", folder.path + "/cache"]
        let variables = ["KUBECONFIG": folder.path + "/config"]
        return ChildProcess(command + words, name: "kubectl-\(calls)", in: folder.path, environment: variables)
    }
}
