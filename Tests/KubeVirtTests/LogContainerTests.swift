// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import KubeVirt

@Suite("The container guest-console-log", .blocking)
struct LogContainerTests {
    private func files() throws -> ConsoleFiles { try ConsoleFiles(uid: Objects.uid) }

    @Test("as a plain container it has exactly the members that KubeVirt's design lists")
    func plain() throws {
        var container = LogContainer(image: "registry:5000/kubevirt/virt-launcher@sha256:fb1c")
        container.style = .container
        let expected = Objects.parse(
            """
            {"args":["--logfile","/var/run/kubevirt-private/\(Objects.uid)/virt-serial0-log"],
             "command":["/usr/bin/virt-tail"],
             "env":[{"name":"VIRT_LAUNCHER_LOG_VERBOSITY","value":"2"}],
             "image":"registry:5000/kubevirt/virt-launcher@sha256:fb1c",
             "imagePullPolicy":"IfNotPresent",
             "name":"guest-console-log",
             "resources":{"limits":{"cpu":"15m","memory":"60M"},"requests":{"cpu":"5m","memory":"35M"}},
             "securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},
              "runAsNonRoot":true,"runAsUser":107},
             "terminationMessagePath":"/dev/termination-log",
             "terminationMessagePolicy":"File",
             "volumeMounts":[{"mountPath":"/var/run/kubevirt-private","name":"private","readOnly":true}]}
            """
        )
        #expect(container.json(for: try files()) == expected)
    }

    @Test("as a sidecar it is restarted always, and has no probe that could keep a VM from starting")
    func sidecar() throws {
        let json = LogContainer(image: "i").json(for: try files())
        #expect(json["restartPolicy"]?.text == "Always")
        for probe in ["startupProbe", "readinessProbe", "livenessProbe", "lifecycle"] {
            #expect(json[probe] == nil)
        }
    }

    @Test("in a pod of the QoS class Guaranteed it requests what it is limited to")
    func guaranteed() {
        let resources = LogContainer(image: "i").resources.guaranteed
        #expect(resources.requests == resources.limits)
        #expect(resources.limits == LogContainer.Resources.Amounts(cpu: "15m", memory: "60M"))
    }

    @Test(
        "a UID that is no UUID never becomes a part of a path",
        arguments: ["", "..", "a/b", "BF9AFCC1", Objects.uid.uppercased()]
    )
    func uid(text: String) {
        #expect(throws: KubeVirtError.self) { try ConsoleFiles(uid: text) }
    }
}
