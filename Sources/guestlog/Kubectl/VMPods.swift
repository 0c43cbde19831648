// SPDX-License-Identifier: Apache-2.0

import KubeVirt
import Kubernetes
import LogModel

extension LauncherPod {
    /// Says that the pod's log, or the rest of it, cannot be read, for that reason.
    func unreadable(_ reason: some CustomStringConvertible) -> String {
        "\(vm): cannot read the log of the pod \(namespace)/\(name)" + (node.map { " on \($0)" } ?? "") + ": \(reason)"
    }
}

/// Finds the pods of VMs, and says why a VM has no log.
struct VMPods: Sendable {
    let client: KubernetesClient
    /// nil: all namespaces.
    let namespace: String?
    /// The VMs' names; empty: all, with the labels of `selector` if that is given.
    let names: [String]
    let selector: String?

    /// The list of virt-launcher pods. The VMs' names are not in it: labels have at most 63 characters.
    private var target: KubernetesClient.Target {
        let path = namespace.map { ["api", "v1", "namespaces", $0, "pods"] } ?? ["api", "v1", "pods"]
        let labels = [LauncherPod.selector] + (selector.map { [$0] } ?? [])
        return KubernetesClient.Target(path, [("labelSelector", labels.joined(separator: ","))])
    }

    /// The VMs that have pods now.
    func list() async throws -> [LogTarget] {
        LogTarget.grouped(wanted(try await client.list(target).objects))
    }

    /// Passes the VMs that have pods to `onChange`, now and after each change, until it returns false.
    func watch(_ onChange: ([LogTarget]) async throws -> Bool) async throws {
        try await client.watch(target, onOutage: reportOutage) { objects in
            try await onChange(LogTarget.grouped(wanted(objects)))
        }
    }

    /// The VMs that have pods now. A server that does not answer is reported, and asked again.
    func awaitList() async throws -> [LogTarget] {
        var found: [LogTarget] = []
        try await watch { targets in
            found = targets
            return false
        }
        return found
    }

    private func reportOutage(_ error: (any Error)?) {
        if let error {
            Output.error("the API server cannot be asked: \(error); trying again")
        }
    }

    /// The pod as it is now; nil: it is gone.
    func current(_ pod: LauncherPod) async throws -> LauncherPod? {
        let path = ["api", "v1", "namespaces", pod.namespace, "pods", pod.name]
        do {
            let found = LauncherPod(try await client.get(KubernetesClient.Target(path)))
            return found?.uid == pod.uid ? found : nil
        } catch let error as KubernetesError where error.status == 404 {
            return nil
        }
    }

    private func wanted(_ objects: [JSON]) -> [LauncherPod] {
        objects.compactMap(LauncherPod.init).filter { names.isEmpty || names.contains($0.vm) }
    }

    // MARK: - VMs without a log

    /// The named VMs that are not among `targets`.
    func missing(from targets: [LogTarget]) -> [String] {
        names.filter { name in !targets.contains { $0.vm == name } }
    }

    /// Why the VM `name`, which has no pod, has no log, and the remedy. Throws `CommandLineError` when it does not exist.
    func explain(withoutPod name: String) async throws -> String {
        let namespace = self.namespace ?? ""
        if try await object("virtualmachineinstances", name, in: namespace) != nil {
            return "\(name) is being started and has no pod yet; use -f to wait for it"
        }
        if try await object("virtualmachines", name, in: namespace) != nil {
            return "\(name) is not running; use -f to wait for its start"
        }
        let pod = name.hasPrefix("pod/") ? String(name.dropFirst("pod/".count)) : name
        let target = KubernetesClient.Target(["api", "v1", "namespaces", namespace, "pods", pod])
        if let object = try? await client.get(target), let vm = LauncherPod(object)?.vm {
            throw CommandLineError(description: "\(pod) is a pod of the VM \(vm): name the VM")
        }
        throw CommandLineError(
            description: "there is no VM \(name) in the namespace \(namespace); 'kubectl get vm -A' lists them"
        )
    }

    /// Why the pods of `target` have no log, and the remedy.
    func explain(withoutLog target: LogTarget) async -> String {
        let instance = try? await object("virtualmachineinstances", target.vm, in: target.namespace)
        guard let instance, let devices = try? SerialDevices(of: instance) else {
            return "\(target.vm) has no console log: its pod has no container \(LogContainer.name)"
        }
        let logging = SerialLogging(devices, clusterDefault: await clusterDefault())
        guard logging.isOn else {
            return "\(target.vm) has no console log: \(logging.explanation)"
        }
        return "\(target.vm) has no console log: its serial console is to be logged, but its pod has no container "
            + "\(LogContainer.name); KubeVirt adds it since 1.1, and so do Guestlog's webhook and policy; "
            + "a change takes effect when the VM is started again"
    }

    /// The cluster's default; on where this user may not read it.
    private func clusterDefault() async -> Bool {
        let path = ["apis", "kubevirt.io", "v1", "kubevirts"]
        let found = try? await client.get(KubernetesClient.Target(path, [("limit", "1")]))
        return found?["items"]?.elements?.first.map(SerialLogging.clusterDefault) ?? true
    }

    /// An object of KubeVirt; nil when there is none, or this user may not read it.
    private func object(_ kind: String, _ name: String, in namespace: String) async throws -> JSON? {
        let path = ["apis", "kubevirt.io", "v1", "namespaces", namespace, kind, name]
        do {
            return try await client.get(KubernetesClient.Target(path))
        } catch let error as KubernetesError where error.status == 404 || error.status == 403 {
            return nil
        }
    }
}
