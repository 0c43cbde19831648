// SPDX-License-Identifier: Apache-2.0

/// Finds the pods that are to have the container `guest-console-log` and do not have it: with `failurePolicy: Ignore`,
/// nothing else shows that the webhook or the policy fails. A state machine without I/O.
public struct UnloggedPods: Sendable {
    private let clusterDefault: Bool
    /// The pods without the container, and the settings of their VMs as far as they are known, by the pod's UID.
    private var pods: [String: (pod: LauncherPod, logging: SerialLogging?)] = [:]

    /// Pods of a cluster in which VMs are logged by default, or not.
    public init(clusterDefault: Bool = true) {
        self.clusterDefault = clusterDefault
    }

    /// Replaces the pods by those that there are; returns those whose VMs' settings are to be read.
    public mutating func apply(_ present: [LauncherPod]) -> [LauncherPod] {
        let before = pods
        pods = [:]
        var unknown: [LauncherPod] = []
        for pod in present where pod.log == .absent && !pod.hasEnded && !pod.isTerminating {
            pods[pod.uid] = (pod, before[pod.uid]?.logging)
            if before[pod.uid]?.logging == nil {
                unknown.append(pod)
            }
        }
        return unknown
    }

    /// The VM of the pod with that UID has `devices`.
    public mutating func apply(_ devices: SerialDevices, of uid: String) {
        pods[uid]?.logging = SerialLogging(devices, clusterDefault: clusterDefault)
    }

    /// What is to be reported: the pods, as NAMESPACE/POD, and what is wrong.
    public var reports: [(pod: String, problem: String)] {
        pods.values.filter { $0.logging?.isOn == true }.map { pod, _ in
            let problem =
                "the serial console of the VM \(pod.vm) is to be logged, but the pod has no container "
                + "\(LogContainer.name), so that kubectl logs shows nothing; see whether Guestlog's webhook or policy works "
                + "and has the right caBundle, and restart the VM"
            return ("\(pod.namespace)/\(pod.name)", problem)
        }.sorted { $0.pod < $1.pod }
    }
}
