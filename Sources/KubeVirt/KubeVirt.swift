// SPDX-License-Identifier: Apache-2.0

// KubeVirt: what Guestlog knows about VMs on Kubernetes. Values only: no I/O, no YAML, no HTTP.
//
//     SerialLogging          whether the serial console of a VM is to be logged, from KubeVirt's API            begin here
//     DomainHook             the <log> in a domain's XML, for KubeVirt's hook sidecar
//     LogContainer           the container guest-console-log
//     PodPatch               the change that gives a virt-launcher pod that container, as JSON Patch (RFC 6902)
//     AdmissionReview        the Kubernetes API's question about a pod, and the answer (admission.k8s.io/v1)
//     LauncherPod            a virt-launcher pod: which VM it runs, and whether it has the container
//     Node/NodePods          the VMs of a node and the files of their logs, from folders and the API
//
// Invariant: logging never keeps a VM from starting. What cannot be done leaves the domain or the pod as it is, and is
// reported.

/// An object of the Kubernetes API is not what its kind requires. The text names the field.
public struct KubeVirtError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
