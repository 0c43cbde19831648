// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import Testing

// What a user of the cluster does.
extension RealCluster {
    /// Applies the manifests of the base with `components` and `patches`, as a user would.
    func install(_ components: [String], patches: String) {
        let overlay = path + "/overlay"
        mkdir(overlay, 0o755)
        let copying = ["cp", "-r", Program.repository + "/packaging/kubevirt", overlay]
        #expect(ChildProcess(copying, name: "cp", in: path).wait() == 0)
        for (file, name) in [("tls.crt", "tls.crt"), ("tls.key", "tls.key"), ("tls.crt", "ca.crt")] {
            FileText.write(
                FileText.text(path + "/" + file),
                to: overlay + "/kubevirt/certificate/" + name
            )
        }
        FileText.write(
            """
            apiVersion: kustomize.config.k8s.io/v1beta1
            kind: Kustomization
            resources: [kubevirt/base]
            components: [\(components.map { "kubevirt/" + $0 }.joined(separator: ", "))]
            patches:
            \(patches)

            """,
            to: overlay + "/kustomization.yaml"
        )
        let applied = kubectl("apply", "-k", overlay)
        #expect(applied.status == 0, "\(applied.standardError)")
    }

    /// Gives `user`, who stands for a service account, the rights of the account `name`.
    static func binding(_ user: String, to name: String) -> String {
        """
          - target: {kind: ClusterRoleBinding, name: \(name)}
            patch: |
              - {op: add, path: /subjects/-, value: {kind: User, name: \(user), apiGroup: rbac.authorization.k8s.io}}
        """
    }

    /// Creates a pod.
    func create(_ pod: String) {
        let created = kubectl("create", "-f", "-", input: pod)
        #expect(created.status == 0, "\(created.standardError)")
    }
}
