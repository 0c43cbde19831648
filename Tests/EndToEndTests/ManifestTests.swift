// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import TestSupport
import Testing

extension EndToEnd {
    /// The manifests in packaging/kubevirt and the patches of pods, by programs and libraries that are not Guestlog's.
    @Suite(
        .enabled(
            if: KubernetesClients.folder != nil,
            "needs GUESTLOG_KUBERNETES_CLIENTS: a folder with kubectl, kubernetes-validate and python3 (scripts/test e2e)"
        )
    )
    struct ManifestTests {
        private let folder = TemporaryFolder()

        private func run(_ command: [String], input: String = "") -> ChildProcess {
            let child = ChildProcess(command, name: "c\(Int.random(in: 0..<1_000_000))", in: folder.path)
            child.send(input)
            child.closeInput()
            _ = child.wait()
            return child
        }

        private func check(_ words: String...) -> ChildProcess {
            let script = Program.repository + "/Tests/EndToEndTests/Clients/kubernetes_checks.py"
            return run([KubernetesClients.path(of: "python3"), script] + words)
        }

        /// The manifests of the base with `components`, as kubectl applies them.
        private func manifests(_ components: [String]) -> String {
            let copied = run(["cp", "-r", Program.repository + "/packaging/kubevirt", folder.path])
            #expect(copied.wait() == 0)
            let certificate = folder.path + "/kubevirt/certificate"
            Certificate.make("webhook", in: certificate)
            FileText.write(FileText.text(certificate + "/tls.crt"), to: certificate + "/ca.crt")
            let list = components.map { "kubevirt/" + $0 }.joined(separator: ", ")
            FileText.write(
                """
                apiVersion: kustomize.config.k8s.io/v1beta1
                kind: Kustomization
                resources: [kubevirt/base]
                components: [\(list)]
                images: [{name: guestlog, newName: registry.example/guestlog, newTag: '1.0'}]

                """,
                to: folder.path + "/kustomization.yaml"
            )
            let built = run([KubernetesClients.path(of: "kubectl"), "kustomize", folder.path])
            #expect(built.wait() == 0, "\(built.standardError)")
            FileText.write(built.text, to: folder.path + "/all.yaml")
            return built.text
        }

        @Test("webhook, policy and node daemon are valid for Kubernetes 1.36, and keep the rules that no schema has")
        func valid() {
            let text = manifests(["webhook", "certificate", "policy", "node"])
            #expect(
                text.contains("image: registry.example/guestlog:1.0") && text.contains("MutatingAdmissionPolicyBinding")
            )
            let validated = run([
                KubernetesClients.path(of: "kubernetes-validate"), "-k", "1.36", "--strict", "--quiet",
                folder.path + "/all.yaml",
            ])
            #expect(validated.wait() == 0, "\(validated.text) \(validated.standardError)")
            let checked = check("manifests", folder.path + "/all.yaml")
            #expect(checked.wait() == 0, "\(checked.text) \(checked.standardError)")
        }

        @Test("with cert-manager the certificate and the CA are its own")
        func certManager() {
            let text = manifests(["webhook", "cert-manager"])
            #expect(text.contains("cert-manager.io/inject-ca-from: guestlog/guestlog-webhook"))
            #expect(text.contains("kind: Certificate\n") && !text.contains("caBundle"))
        }

        @Test("an independent library applies the patch, and the pod then has the container that the command prints")
        func patch() throws {
            let uid = "bf9afcc1-fe55-4f63-919a-807b59efff76"
            let pod = """
                {"metadata":{"labels":{"kubevirt.io":"virt-launcher","kubevirt.io/created-by":"\(uid)"}},
                 "spec":{"containers":[{"name":"compute","image":"i","imagePullPolicy":"IfNotPresent"}],
                  "initContainers":[{"name":"first"}],"volumes":[{"name":"private"}]}}
                """
            FileText.write(pod, to: folder.path + "/pod.json")
            FileText.write(#"{"spec":{}}"#, to: folder.path + "/vmi.json")
            let command = [
                Program.guestlog, "kubevirt", "patch", "--vmi", folder.path + "/vmi.json", "--image", "ours",
            ]
            let patch = run(command, input: pod)
            #expect(patch.wait() == 0, "\(patch.standardError)")
            FileText.write(patch.text, to: folder.path + "/patch.json")
            let patched = check("apply", folder.path + "/pod.json", folder.path + "/patch.json")
            #expect(patched.wait() == 0, "\(patched.standardError)")
            let containers = try JSON(parsing: patched.output)["spec"]?["initContainers"]?.elements
            #expect(containers?.map { $0["name"]?.text } == ["first", "guest-console-log"])
            let container = run([Program.guestlog, "kubevirt", "container", "--vmi", uid, "--image", "ours"])
            #expect(try containers?.last == JSON(parsing: container.output))
            let again = run(command, input: patched.text)
            #expect(again.text == "[]\n")
        }
    }
}
