// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// A virt-launcher pod: the pod in which KubeVirt runs one VM. During a live migration a VM has two.
///
/// Which VM it runs is read from its annotation and the UID in its label: KubeVirt cuts longer names in labels, which
/// have at most 63 characters.
public struct LauncherPod: Hashable, Sendable {
    /// Selects virt-launcher pods by label.
    public static let selector = "kubevirt.io=virt-launcher"
    /// The label with the UID of the VirtualMachineInstance.
    static let instanceLabel = "kubevirt.io/created-by"
    /// The label that only the target of a live migration has.
    static let migrationLabel = "kubevirt.io/migrationJobUID"
    /// The annotation with the VM's name.
    static let nameAnnotation = "kubevirt.io/domain"

    public let name: String
    public let namespace: String
    /// The pod's own UID.
    public let uid: String
    /// The VM's name.
    public let vm: String
    /// The UID of the VirtualMachineInstance.
    public let instance: String
    /// The node; nil until the pod is scheduled.
    public let node: String?
    /// When the pod was created, as the API writes it.
    public let created: String
    /// `Pending`, `Running`, `Succeeded` or `Failed`.
    public let phase: String
    /// Whether the pod is being deleted.
    let isTerminating: Bool
    /// Whether a live migration brings the VM, which runs already, to this pod.
    let isMigrationTarget: Bool
    public let log: LogState

    /// The container `guest-console-log` of a pod.
    public enum LogState: Hashable, Sendable {
        /// The pod has no such container.
        case absent
        /// It has not started yet.
        case waiting
        case running
        case ended
    }

    /// The pod described by `object`, of kind Pod; nil when it is not a virt-launcher pod.
    public init?(_ object: JSON) {
        let metadata = object["metadata"]
        guard metadata?["labels"]?["kubevirt.io"]?.text == "virt-launcher",
            let instance = metadata?["labels"]?[Self.instanceLabel]?.text ?? Self.owner(metadata)?["uid"]?.text,
            let vm = metadata?["annotations"]?[Self.nameAnnotation]?.text ?? Self.owner(metadata)?["name"]?.text
        else {
            return nil
        }
        self.vm = vm
        self.instance = instance
        name = metadata?["name"]?.text ?? metadata?["generateName"]?.text ?? ""
        namespace = metadata?["namespace"]?.text ?? ""
        uid = metadata?["uid"]?.text ?? ""
        created = metadata?["creationTimestamp"]?.text ?? ""
        isTerminating = metadata?["deletionTimestamp"]?.text != nil
        isMigrationTarget = metadata?["labels"]?[Self.migrationLabel]?.text != nil
        node = object["spec"]?["nodeName"]?.text
        phase = object["status"]?["phase"]?.text ?? "Pending"
        log = Self.logState(of: object)
    }

    /// The VirtualMachineInstance that owns a pod.
    static func owner(_ metadata: JSON?) -> JSON? {
        metadata?["ownerReferences"]?.elements?.first { $0["kind"]?.text == "VirtualMachineInstance" }
    }

    /// Whether nothing of the pod runs any more.
    public var hasEnded: Bool { phase == "Succeeded" || phase == "Failed" }

    private static func logState(of pod: JSON) -> LogState {
        guard ContainerList.holding(LogContainer.name, in: pod) != nil else {
            return .absent
        }
        let statuses = ["initContainerStatuses", "containerStatuses"].flatMap { pod["status"]?[$0]?.elements ?? [] }
        guard let state = statuses.first(where: { $0["name"]?.text == LogContainer.name })?["state"] else {
            return .waiting
        }
        if state["terminated"] != nil {
            return .ended
        }
        return state["running"] != nil ? .running : .waiting
    }
}

/// The lists of containers in a pod's `spec`.
enum ContainerList: String, CaseIterable {
    case initContainers, containers

    /// The list and the index of the container `name`; nil when the pod has none of that name.
    static func holding(_ name: String, in pod: JSON) -> (list: ContainerList, index: Int)? {
        for list in allCases {
            let containers = pod["spec"]?[list.rawValue]?.elements ?? []
            if let index = containers.firstIndex(where: { $0["name"]?.text == name }) {
                return (list, index)
            }
        }
        return nil
    }
}
