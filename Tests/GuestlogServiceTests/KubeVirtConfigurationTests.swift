// SPDX-License-Identifier: Apache-2.0

import KubeVirt
import LogModel
import RuntimeSources
import SystemIO
import TestTraits
import Testing

@testable import GuestlogService

@Suite(.blocking) struct KubeVirtConfigurationTests {
    private func read(_ text: String) throws -> NodeSettings? {
        try Configuration(file: "test.yaml", text: text).node
    }

    @Test("without the section nothing of KubeVirt is read; an empty one has the kubelet's folders")
    func defaults() throws {
        #expect(try read("{}") == nil)
        for text in ["kubevirt:", "kubevirt: {}"] {
            let settings = try #require(try read(text))
            #expect(settings.folders == NodeFolders(pods: "/var/lib/kubelet/pods", logs: "/var/log/pods"))
            #expect(settings.clusterDefault && settings.kubeconfig == nil)
        }
    }

    @Test("all settings are parsed")
    func everything() throws {
        let settings = try #require(
            try read(
                """
                kubevirt:
                  pods: /k3s//pods/
                  pod-logs: none
                  node: n1
                  kubeconfig: /etc/k
                  cluster-default: off
                """
            )
        )
        #expect(settings.folders == NodeFolders(pods: "/k3s/pods", logs: nil))
        #expect(settings.node == "n1" && settings.kubeconfig == "/etc/k" && !settings.clusterDefault)
        #expect(try read("kubevirt: {node: none}")?.node == nil)
    }

    @Test(
        "what is wrong is named",
        arguments: [
            ("pod: /x", "unknown key kubevirt.pod; did you mean kubevirt.pods?"),
            ("pods: relative", "pods"), ("cluster-default: maybe", "use on or off, not maybe"),
        ]
    )
    func mistakes(text: String, message: String) {
        let error = #expect(throws: ConfigurationError.self) { try read("kubevirt: {\(text)}") }
        #expect("\(error!)".contains(message.split(separator: ";")[0]), "\(error!)")
    }

    // MARK: - Sources

    @Test("a VM's logs are a console and two streams of records, each at its own source")
    func sources() throws {
        let pod = "11111111-fe55-4f63-919a-807b59efff76"
        let instance = "bf9afcc1-fe55-4f63-919a-807b59efff76"
        var state = NodePods(NodeFolders(), awaitsAPI: false) { _ in false }
        state.apply(.logFolder(try #require(PodLogFolder(name: "simone_virt-launcher-web-abcde_\(pod)"))), at: 0)
        state.apply(.folder(pod: pod, instances: [instance], created: 1), at: 0)
        let sources = state.vms.flatMap(NodeSources.definitions)
        #expect(sources.map(\.stream.text) == ["console0", "virt-launcher", "qemu"])
        #expect(Set(sources.map(\.name)).count == 3)
        #expect(sources.allSatisfy { $0.vm == VMIdentity(name: "web", namespace: "simone") })
        #expect(sources[1].vmFields.isEmpty && sources[1].trustedFolder == nil && sources[2].trustedFolder != nil)
    }
}
