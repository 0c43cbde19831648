// SPDX-License-Identifier: Apache-2.0

/// The pods of one VM in the order of their creation: one, or, around a live migration, several.
public struct LogTarget: Hashable, Sendable {
    public let namespace: String
    public let vm: String
    /// The UID of the VirtualMachineInstance: the VM's present run.
    public let instance: String
    public let pods: [LauncherPod]

    /// Groups `pods` by VM; of each VM those of one instance: of `instance` if that is given, else of the newest. In the
    /// order of namespaces and names.
    public static func grouped(_ pods: [LauncherPod], instance: String? = nil) -> [LogTarget] {
        Dictionary(grouping: pods) { [$0.namespace, $0.vm] }.values.compactMap { pods in
            let sorted = pods.sorted { ($0.created, $0.name) < ($1.created, $1.name) }
            guard let newest = sorted.last else {
                return nil
            }
            let wanted = instance ?? newest.instance
            let own = sorted.filter { $0.instance == wanted }
            return LogTarget(namespace: newest.namespace, vm: newest.vm, instance: wanted, pods: own)
        }
        .sorted { ($0.namespace, $0.vm) < ($1.namespace, $1.vm) }
    }

    /// The pods that have a log.
    public var logged: [LauncherPod] { pods.filter { $0.log != .absent } }
}
