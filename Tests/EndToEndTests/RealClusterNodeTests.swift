// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import TestTraits
import Testing

/// The node daemon with a real kube-apiserver.
@Suite(
    .serialized,
    .blocking,
    .enabled(if: RealCluster.isPossible, "needs a kube-apiserver and kubectl: scripts/test kubernetes")
)
struct RealClusterNodeTests {
    private let cluster: RealCluster

    init() throws {
        cluster = try RealCluster()
        try cluster.installKubeVirt(namespaces: ["simone"])
    }

    @Test("the node daemon names VMs by the pods of its node, with the rights of its manifests and no others")
    func nodeDaemon() throws {
        Certificate.make("unused", in: cluster.path)
        cluster.install(["node"], patches: RealCluster.binding("node", to: "guestlog-node"))
        cluster.apply("apiVersion: v1\nkind: Node\nmetadata: {name: node}\n")
        let node = NodeFixture()
        let site = try Site(
            extra: """
                libvirt: {socket: none}
                kubevirt:
                  pods: '\(node.pods)'
                  pod-logs: none
                  node: node
                  kubeconfig: '\(cluster.configurationFile(of: "node"))'
                """,
            consoles: { _ in "" }
        )
        func logs() -> String { site.guestlog("logs", "simone/web", "-s", "console0", "--color", "never").text }
        func problems() -> String { site.guestlog("status", by: .socket).text }
        func start(_ pod: String) -> (pod: String, instance: String) {
            let instance = cluster.createInstance("web", log: true)
            let extra = "nodeName: node\n  tolerations: [{operator: Exists}]"
            cluster.create(cluster.launcher(pod, of: "web", instance, extra: extra))
            let uid = cluster.kubectl("get", "pod", pod, "-n", "simone", "-o", "jsonpath={.metadata.uid}").text
            return (uid, instance)
        }
        func end(_ pod: String) {
            #expect(cluster.kubectl("delete", "pod", pod, "-n", "simone", "--force", "--grace-period", "0").status == 0)
            #expect(cluster.kubectl("delete", "virtualmachineinstances", "web", "-n", "simone").status == 0)
        }
        let first = start("one")
        node.print("first\n", on: first.pod, first.instance)
        #expect(eventually { logs() == "first\n" }, "\(site.daemon?.standardError ?? "")")
        #expect(eventually { problems().contains("problem: pod simone/one: ") }, "\(problems())")
        // The next API server knows nothing of the daemon's watch.
        cluster.restartServer()
        node.print("last words\n", on: first.pod, first.instance)
        node.delete(first.pod)
        end("one")
        let second = start("two")
        node.print("second\n", on: second.pod, second.instance)
        #expect(eventually { logs() == "first\nlast words\nsecond\n" }, "\(logs()) \(site.daemon?.standardError ?? "")")
        #expect(eventually { problems().contains("pod simone/two") && !problems().contains("pod simone/one") })
        for words in [["get", "secrets"], ["get", "configmaps"], ["get", "nodes"]] {
            let refused = cluster.kubectl(as: "node", words[0], words[1], "-n", "simone")
            #expect(refused.status != 0 && refused.standardError.contains("forbidden"), "\(words)")
        }
        #expect(cluster.kubectl(as: "node", "delete", "pod", "two", "-n", "simone").standardError.contains("forbidden"))
    }
}
