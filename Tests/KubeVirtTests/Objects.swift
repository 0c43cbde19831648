// SPDX-License-Identifier: Apache-2.0

import LogModel

@testable import KubeVirt

/// Objects of the Kubernetes API, as they are written by hand.
enum Objects {
    static let uid = "bf9afcc1-fe55-4f63-919a-807b59efff76"

    static func parse(_ text: String) -> JSON {
        do {
            return try JSON(parsing: text.utf8)
        } catch {
            preconditionFailure("\(error) in \(text)")
        }
    }

    /// A VirtualMachineInstance with `devices`, the members of an object.
    static func instance(_ devices: String = "", uid: String = uid) -> String {
        """
        {"apiVersion":"kubevirt.io/v1","kind":"VirtualMachineInstance",
         "metadata":{"name":"testvm","namespace":"simone","uid":"\(uid)"},
         "spec":{"domain":{"devices":{\(devices)},"resources":{}}}}
        """
    }

    /// A virt-launcher pod. `extra` are further members of its `spec`.
    static func pod(
        annotations: String = "",
        labels: String = #""kubevirt.io/created-by":"\#(uid)""#,
        containers: String = compute,
        extra: String = #""volumes":[{"name":"private","emptyDir":{}}]"#
    ) -> JSON {
        parse(
            """
            {"apiVersion":"v1","kind":"Pod",
             "metadata":{"generateName":"virt-launcher-testvm-","namespace":"simone",
              "labels":{"kubevirt.io":"virt-launcher","vm.kubevirt.io/name":"testvm",\(labels)},
              "annotations":{"kubevirt.io/domain":"testvm"\(annotations.isEmpty ? "" : "," + annotations)}},
             "spec":{"containers":[\(containers)],\(extra)}}
            """
        )
    }

    static let compute = #"""
        {"name":"compute","image":"registry:5000/kubevirt/virt-launcher:v1.9.0","imagePullPolicy":"Always",
         "resources":{"requests":{"cpu":"100m","memory":"300M"}}}
        """#

    /// A virt-launcher pod as it is listed, with its log in that state.
    static func launcher(
        _ name: String,
        vm: String = "testvm",
        instance: String = uid,
        created: String = "2026-08-01T10:00:00Z",
        log: LauncherPod.LogState = .running
    ) -> LauncherPod {
        let state = log == .running ? #"{"running":{}}"# : log == .ended ? #"{"terminated":{}}"# : #"{"waiting":{}}"#
        let containers = log == .absent ? "" : #"{"name":"guest-console-log"}"#
        let object = parse(
            """
            {"metadata":{"name":"\(name)","uid":"\(name)","namespace":"simone","creationTimestamp":"\(created)",
              "labels":{"kubevirt.io":"virt-launcher","kubevirt.io/created-by":"\(instance)"},
              "annotations":{"kubevirt.io/domain":"\(vm)"}},
             "spec":{"nodeName":"node-\(name)","containers":[\(containers)]},
             "status":{"phase":"Running","containerStatuses":[{"name":"guest-console-log","state":\(state)}]}}
            """
        )
        guard let pod = LauncherPod(object) else {
            preconditionFailure("not a virt-launcher pod: \(object)")
        }
        return pod
    }
}
