// SPDX-License-Identifier: Apache-2.0

import Capture
import KubeVirt
import Kubernetes
import LogModel
import Synchronization
import SystemIO

/// Follows the virt-launcher pods of this node in the Kubernetes API, which may be away or refuse, and reports those
/// that are to have the container `guest-console-log` and have not.
final class NodePodList: Sendable {
    private let settings: NodeSettings
    private let node: String
    private let problems: Problems
    private let diagnostics: Diagnostics
    private let task = Mutex<Task<Void, Never>?>(nil)

    private static let subject = "kubernetes"

    init(_ settings: NodeSettings, node: String, capture: CaptureService) {
        self.settings = settings
        self.node = node
        problems = capture.problems
        diagnostics = capture.diagnostics
    }

    private static var pauses: Backoff { Backoff(first: 250_000, doublingLimit: 60_000_000, longest: 60_000_000) }

    /// Begins, and calls `onChange` with all pods, now and after each change.
    func start(_ onChange: @escaping @Sendable ([LauncherPod]) -> Void) {
        let task = Task(priority: .medium) { [self] in
            var pause = Self.pauses
            while !Task.isCancelled {
                let begin = ContinuousClock.now
                do {
                    try await follow(onChange)
                } catch is CancellationError {
                    return
                } catch {
                    report(error)
                }
                if ContinuousClock.now - begin > .microseconds(pause.longest) {
                    // The pods were known meanwhile.
                    pause = Self.pauses
                }
                try? await Task.sleep(for: .microseconds(pause.nextSpread()))
            }
        }
        self.task.withLock { $0 = task }
    }

    func stop() {
        task.withLock { $0?.cancel() }
    }

    /// Reports why the API cannot be asked; with nil, that it can.
    private func report(_ error: (any Error)?) {
        if let error {
            let problem = "the pods of this node are not known: \(error)"
            problems.report(Self.subject, problem, .warning, to: diagnostics)
        } else {
            problems.clear(Self.subject)
        }
    }

    private func follow(_ onChange: @escaping @Sendable ([LauncherPod]) -> Void) async throws {
        var options = ClusterAccess.Options()
        options.file = settings.kubeconfig
        let client = KubernetesClient(try ClusterAccess(options))
        let target = KubernetesClient.Target(
            ["api", "v1", "pods"],
            [("labelSelector", LauncherPod.selector), ("fieldSelector", "spec.nodeName=" + node)]
        )
        var unlogged = UnloggedPods(clusterDefault: settings.clusterDefault)
        var reported: Set<String> = []
        try await client.watch(target, onOutage: report) { objects in
            let pods = objects.compactMap(LauncherPod.init)
            onChange(pods)
            for pod in unlogged.apply(pods) {
                if let devices = await devices(of: pod, client) {
                    unlogged.apply(devices, of: pod.uid)
                }
            }
            report(unlogged.reports, &reported)
            return !Task.isCancelled
        }
    }

    /// The console's settings of a pod's VM; nil when they cannot be read.
    private func devices(of pod: LauncherPod, _ client: KubernetesClient) async -> SerialDevices? {
        let path = ["apis", "kubevirt.io", "v1", "namespaces", pod.namespace, "virtualmachineinstances", pod.vm]
        do {
            return try SerialDevices(annotated: try await client.get(KubernetesClient.Target(path)))
        } catch {
            diagnostics.log(.info, "\(pod.namespace)/\(pod.vm): its settings cannot be read: \(error)")
            return nil
        }
    }

    private func report(_ reports: [(pod: String, problem: String)], _ reported: inout Set<String>) {
        let present = Set(reports.map { "pod " + $0.pod })
        for subject in reported.subtracting(present) {
            problems.clear(subject)
        }
        for (pod, problem) in reports {
            problems.report("pod " + pod, problem, .warning, to: diagnostics)
        }
        reported = present
    }
}
