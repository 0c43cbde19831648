// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

/// The manifests, the webhook and the plug-in with a real kube-apiserver.
@Suite(
    .serialized,
    .blocking,
    .enabled(if: RealCluster.isPossible, "needs a kube-apiserver and kubectl: scripts/test kubernetes")
)
struct RealClusterTests {
    private let cluster: RealCluster

    init() throws {
        cluster = try RealCluster()
        try cluster.installKubeVirt(namespaces: ["simone", "other"])
    }

    // MARK: - The webhook

    /// Starts the webhook, and applies the manifests with its URL in place of the service, which has no network here.
    private func installWebhook() throws -> ChildProcess {
        let path = cluster.path
        Certificate.make("webhook", in: path)
        let webhook = ChildProcess(
            [
                Program.guestlog, "kubevirt", "webhook", "--listen", "127.0.0.1:0", "--certificate", path + "/tls.crt",
                "--key", path + "/tls.key", "--look-up", "--kubeconfig", cluster.configurationFile(of: "webhook"),
                "--style", "container", "--verbose",
            ],
            name: "webhook",
            in: path
        )
        #expect(eventually { webhook.standardError.contains("serves at") || webhook.hasEnded })
        let url = try #require(webhook.standardError.firstMatch(of: #/https:\/\/127[0-9.:]+\/mutate-pod/#))
        cluster.install(
            ["webhook", "certificate"],
            patches: """
                  - target: {kind: MutatingWebhookConfiguration}
                    patch: |
                      - {op: remove, path: /webhooks/0/clientConfig/service}
                      - {op: add, path: /webhooks/0/clientConfig/url, value: '\(url.0)'}
                      # Unknown to this version.
                      - {op: remove, path: /webhooks/0/matchConditions}
                \(RealCluster.binding("webhook", to: "guestlog-webhook"))
                """
        )
        return webhook
    }

    @Test("a virt-launcher pod that is created gets the container if its VM is to be logged, and is unchanged if not")
    func webhook() throws {
        let webhook = try installWebhook()
        let on = cluster.createInstance("logged", log: true)
        // The configuration takes a moment to be used.
        var number = 0
        #expect(
            eventually {
                number += 1
                cluster.create(cluster.launcher("logged-\(number)", of: "logged", on))
                return cluster.containers(of: "logged-\(number)") == ["compute", "guest-console-log"]
            },
            "\(webhook.standardError)"
        )
        let argument = cluster.kubectl(
            "get",
            "pod",
            "logged-\(number)",
            "-n",
            "simone",
            "-o",
            "jsonpath={.spec.containers[1].args[1]}"
        )
        #expect(argument.text == "/var/run/kubevirt-private/\(on)/virt-serial0-log")
        let off = cluster.createInstance("silent", log: false)
        cluster.create(cluster.launcher("silent", of: "silent", off))
        #expect(cluster.containers(of: "silent") == ["compute"])
        // An instance that is gone: the pod is created all the same, and the reason is shown.
        let gone = cluster.kubectl("create", "-f", "-", input: cluster.launcher("gone", of: "gone", on))
        #expect(gone.status == 0 && gone.standardError.contains("guestlog: pod simone/gone is not logged"))
        // Other pods, and trials.
        let other = cluster.launcher("plain", of: "logged", on).replacing("kubevirt.io: virt-launcher", with: "app: x")
        cluster.create(other)
        #expect(cluster.containers(of: "plain") == ["compute"])
        let trial = cluster.kubectl(
            "create",
            "--dry-run=server",
            "-o",
            "jsonpath={.spec.containers[*].name}",
            "-f",
            "-",
            input: cluster.launcher("trial", of: "logged", on)
        )
        #expect(trial.text == "compute guest-console-log", "\(trial.standardError)")

        // Pods are not kept waiting for a webhook that hangs.
        webhook.signal(SIGSTOP)
        cluster.create(cluster.launcher("hung", of: "logged", on))
        #expect(cluster.containers(of: "hung") == ["compute"])
        webhook.signal(SIGCONT)
        #expect(
            eventually {
                number += 1
                cluster.create(cluster.launcher("logged-\(number)", of: "logged", on))
                return cluster.containers(of: "logged-\(number)").count == 2
            }
        )
        webhook.signal(SIGTERM)
        #expect(webhook.wait() == 0)
    }

    // MARK: - The plug-in

    /// A stand-in for a kubelet, as a node of the cluster.
    private func node() throws -> StandInCluster {
        let path = cluster.path + "/kubelet"
        mkdir(path, 0o755)
        Certificate.make("kubelet", in: path)
        let kubelet = try StandInCluster(tls: [path + "/tls.crt", path + "/tls.key"])
        cluster.apply("apiVersion: v1\nkind: Node\nmetadata: {name: node}\n")
        patchStatus(
            "node/node",
            """
            {"status":{"addresses":[{"type":"InternalIP","address":"127.0.0.1"}],
             "daemonEndpoints":{"kubeletEndpoint":{"Port":\(kubelet.port)}}}}
            """
        )
        return kubelet
    }

    private func patchStatus(_ object: String, _ patch: String, in namespace: String = "simone") {
        let patched = cluster.kubectl(
            "patch",
            object,
            "-n",
            namespace,
            "--subresource",
            "status",
            "--type",
            "merge",
            "-p",
            patch
        )
        #expect(patched.status == 0, "\(patched.standardError)")
    }

    /// Creates a pod on the node whose container `guest-console-log` runs.
    private func run(_ pod: String, of vm: String, _ uid: String, in namespace: String = "simone") {
        let extra = "nodeName: node\n  tolerations: [{operator: Exists}]"
        let manifest = cluster.launcher(pod, of: vm, uid, in: namespace, extra: extra)
            .replacing("containers: [", with: "containers: [{name: guest-console-log, image: ours}, ")
        cluster.create(manifest)
        patchStatus(
            "pod/" + pod,
            Self.status("Running", #"{"running":{"startedAt":"2026-08-01T10:00:00Z"}}"#),
            in: namespace
        )
    }

    private static func status(_ phase: String, _ state: String) -> String {
        """
        {"status":{"phase":"\(phase)","containerStatuses":[{"name":"guest-console-log","state":\(state),"image":"ours",
         "imageID":"","ready":true,"restartCount":0}]}}
        """
    }

    private func end(_ pod: String) {
        let state =
            #"{"terminated":{"exitCode":0,"startedAt":"2026-08-01T10:00:00Z","finishedAt":"2026-08-01T11:00:00Z"}}"#
        patchStatus("pod/" + pod, Self.status("Succeeded", state))
    }

    /// Lets a user read the logs of pods in one namespace.
    private func allow(_ user: String, in namespace: String) {
        cluster.apply(
            """
            apiVersion: rbac.authorization.k8s.io/v1
            kind: Role
            metadata: {name: reader, namespace: \(namespace)}
            rules:
              - {apiGroups: [""], resources: [pods], verbs: [get, list, watch]}
              - {apiGroups: [""], resources: [pods/log], verbs: [get]}
            ---
            apiVersion: rbac.authorization.k8s.io/v1
            kind: RoleBinding
            metadata: {name: reader, namespace: \(namespace)}
            roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
            subjects: [{kind: User, name: \(user), apiGroup: rbac.authorization.k8s.io}]

            """
        )
    }

    @Test("the owner of one namespace reads the logs of its VMs, and is refused those of another")
    func twoUsers() throws {
        let kubelet = try node()
        allow("alice", in: "simone")
        allow("bob", in: "other")
        run("launcher-a", of: "web", cluster.createInstance("web", log: true))
        run("launcher-b", of: "web", cluster.createInstance("web", in: "other", log: true), in: "other")
        kubelet.log("launcher-a", "alice's", at: 0)
        kubelet.log("launcher-b", "bob's", at: 0)
        let real = cluster.kubectl(as: "alice", "logs", "launcher-a", "-n", "simone", "-c", "guest-console-log")
        #expect(real.status == 0 && real.text == "alice's\n", "\(real.standardError)")
        for (user, namespace, text) in [("alice", "simone", "alice's\n"), ("bob", "other", "bob's\n")] {
            let own = cluster.beginPlugin(as: user, "logs", "web", "-n", namespace)
            #expect(own.wait() == 0 && own.text == text, "\(own.standardError)")
        }
        for (user, namespace) in [("alice", "other"), ("bob", "simone")] {
            let foreign = cluster.beginPlugin(as: user, "logs", "web", "-n", namespace)
            #expect(foreign.wait() == 2 && foreign.text.isEmpty)
            #expect(foreign.standardError.contains("forbidden"), "\(foreign.standardError)")
        }
        let all = cluster.beginPlugin(as: "alice", "logs", "-A")
        #expect(all.wait() == 2 && all.standardError.contains("forbidden"))
        let everything = cluster.beginPlugin(as: "admin", "logs", "-A")
        #expect(everything.wait() == 0 && everything.text.contains("alice's") && everything.text.contains("bob's"))
    }

    @Test("a VM is followed from before its start, over a rotation and a live migration, to its next start")
    func follows() throws {
        let kubelet = try node()
        allow("alice", in: "simone")
        let call = cluster.beginPlugin(as: "alice", "logs", "web", "-n", "simone", "-f", "--markers")
        #expect(eventually { call.standardError.contains("waiting for web to start") }, "\(call.standardError)")
        let uid = cluster.createInstance("web", log: true)
        FileText.write("200", to: kubelet.folder.path + "/cut")
        kubelet.log("source", (0..<20).map { ("line \($0)", $0, 0) })
        run("source", of: "web", uid)
        #expect(eventually { call.text.hasSuffix("line 19\n") }, "\(call.standardError)")
        unlink(kubelet.folder.path + "/cut")
        kubelet.log("target", "after", at: 40)
        run("target", of: "web", uid)
        #expect(eventually { kubelet.requests.contains { $0.contains("/target/") } })
        kubelet.log("source", "last", at: 30)
        #expect(eventually { call.text.hasSuffix("last\n") })
        FileText.write("", to: kubelet.folder.path + "/logs/source.ended")
        end("source")
        #expect(eventually { call.text.hasSuffix("last\n-- continued by target on node --\nafter\n") }, "\(call.text)")
        let expected = (0..<20).map { "line \($0)\n" }.joined() + "last\n"
        #expect(call.text.contains(expected), "\(call.text)")
        FileText.write("", to: kubelet.folder.path + "/logs/target.ended")
        end("target")
        for pod in ["source", "target"] {
            #expect(cluster.kubectl("delete", "pod", pod, "-n", "simone", "--force", "--grace-period", "0").status == 0)
        }
        kubelet.log("next", "again", at: 60)
        run("next", of: "web", "0d6bd5d3-2f55-4b1e-8d3d-2a3a3c1b9c11")
        #expect(eventually { call.text.hasSuffix("again\n") }, "\(call.standardError)")
        call.signal(SIGINT)
        #expect(call.wait() == 130)
    }
}
