// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Where a node has the files of pods. The kubelet owns everything down to a pod's volumes; what is in a volume belongs
/// to the pod.
public struct NodeFolders: Hashable, Sendable {
    /// The folder with a folder for each pod, named by its UID.
    public var pods: String
    /// The folder with the logs of containers; nil: they are not read.
    public var logs: String?

    public static let defaultPods = "/var/lib/kubelet/pods"
    public static let defaultLogs = "/var/log/pods"

    public init(pods: String = defaultPods, logs: String? = defaultLogs) {
        self.pods = pods
        self.logs = logs
    }

    /// The folders from that of a pod down to its volume `private`, as the kubelet makes them one after another.
    public func chain(of pod: String) -> [String] {
        ["", "volumes", "kubernetes.io~empty-dir", ConsoleFiles.volume].reduce(into: []) { chain, name in
            chain.append(chain.last.map { $0 + "/" + name } ?? pods + "/" + pod)
        }
    }

    /// The volume `private` of a pod. Links are followed down to here, and not below.
    public func volume(of pod: String) -> String {
        "\(pods)/\(pod)/volumes/kubernetes.io~empty-dir/\(ConsoleFiles.volume)"
    }

    /// The console's log of the instance in a pod.
    func console(of pod: String, _ instance: String) -> String {
        "\(volume(of: pod))/\(instance)/\(ConsoleFiles.logName)"
    }

    /// The log that libvirt keeps of the QEMU in a pod, where virt-launcher does not run as root.
    func machineLog(of pod: String, _ vm: VMIdentity) -> String {
        "\(volume(of: pod))/libvirt/qemu/log/\(vm.namespace ?? "")_\(vm.name).log"
    }

    /// The log of the container `compute`, in which virt-launcher runs.
    func launcherLog(of pod: PodLogFolder) -> String? {
        logs.map { "\($0)/\(pod.name)/compute/0.log" }
    }
}

/// The name of a folder with a pod's logs: `NAMESPACE_POD_UID` (the kubelet's BuildPodLogsDirectory).
public struct PodLogFolder: Hashable, Sendable {
    public let namespace: String
    public let pod: String
    public let uid: String

    public init(namespace: String, pod: String, uid: String) {
        self.namespace = namespace
        self.pod = pod
        self.uid = uid
    }

    /// The parts of the name of a virt-launcher pod's folder; nil for others. Neither a namespace nor a pod's name has
    /// an underscore.
    public init?(name: String) {
        let parts = name.split(separator: "_", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, !parts[0].isEmpty, parts[1].hasPrefix(Self.prefix),
            VMIdentity.canonicalUUID(parts[2]) == parts[2]
        else {
            return nil
        }
        self.init(namespace: parts[0], pod: parts[1], uid: parts[2])
    }

    var name: String { "\(namespace)_\(pod)_\(uid)" }

    /// The VM's name; nil when the pod's name has only its beginning.
    ///
    /// KubeVirt names pods `virt-launcher-VM-`, and the API server appends five characters, after at most 58 of the
    /// name.
    var vm: String? {
        let name = pod.dropFirst(Self.prefix.count)
        guard pod.hasPrefix(Self.prefix), let dash = name.lastIndex(of: "-"),
            name[dash...].utf8.count == Self.suffix + 1, dash > name.startIndex,
            pod.utf8.count - Self.suffix < Self.longestPrefix
        else {
            return nil
        }
        return String(name[..<dash])
    }

    private static let prefix = "virt-launcher-"
    /// The number of characters that the API server appends, and of those that it leaves of a longer name.
    private static let suffix = 5
    private static let longestPrefix = 58
}
