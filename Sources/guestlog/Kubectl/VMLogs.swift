// SPDX-License-Identifier: Apache-2.0

import KubeVirt
import Kubernetes
import LogModel
import Synchronization
import SystemIO

/// Reads the logs of VMs from their pods into a collector.
struct VMLogs: Sendable {
    let pods: VMPods
    let collector: ConsoleCollector
    var isPrevious = false
    var since: Timestamp?
    var tail: Int?

    /// Logs that are read at one time: the API server limits the requests of a user.
    private static let concurrency = 8

    // MARK: - What there is now

    /// Collects what there is now, and reports VMs without a log; returns whether any has one.
    func collect() async throws -> Bool {
        let targets = try await pods.list()
        for name in pods.missing(from: targets) {
            Output.error(try await pods.explain(withoutPod: name))
        }
        for target in targets where target.logged.isEmpty {
            Output.error(await pods.explain(withoutLog: target))
        }
        if targets.isEmpty, pods.names.isEmpty {
            Output.error(
                "no VM with these labels is running" + (pods.namespace.map { " in the namespace \($0)" } ?? "")
            )
        }
        let logged = targets.filter { !$0.logged.isEmpty }
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for (place, target) in logged.enumerated() {
                if place >= Self.concurrency {
                    try await tasks.next()
                }
                tasks.addTask { try await collect(target) }
            }
            try await tasks.waitForAll()
        }
        return !logged.isEmpty
    }

    /// Reads the pods of a VM one after the other.
    private func collect(_ target: LogTarget) async throws {
        for pod in target.logged {
            try await collector.add(pod)
            do {
                try await log(of: pod).read { try await collector.receive($0, from: pod) }
            } catch let error as KubernetesError where error.status == 400 || error.status == 404 {
                Output.error("\(pod.vm): \(error)")
            }
            try await collector.end(pod)
        }
    }

    private func log(of pod: LauncherPod) -> PodLog {
        PodLog(pods: pods, pod: pod, isPrevious: isPrevious, since: since, tail: tail)
    }

    // MARK: - What comes

    /// Collects what there is and what comes, until cancelled.
    func follow() async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            let (found, continuation) = AsyncStream<LauncherPod>.makeStream()
            tasks.addTask {
                let said = Mutex<Set<String>>([])
                let known = Mutex<Set<String>>([])
                try await pods.watch { targets in
                    await report(targets, said)
                    // A pod's log is requested once its container has started.
                    for pod in targets.flatMap(\.logged) where pod.log != .waiting {
                        if known.withLock({ $0.insert(pod.uid).inserted }) {
                            try await collector.add(pod)
                            continuation.yield(pod)
                        }
                    }
                    return true
                }
            }
            for await pod in found {
                tasks.addTask { try await follow(pod) }
            }
            try await tasks.waitForAll()
        }
    }

    private func follow(_ pod: LauncherPod) async throws {
        try await log(of: pod).follow { try await collector.receive($0, from: pod) }
        try await collector.end(pod)
    }

    /// Says once of each VM why nothing of it is shown yet.
    private func report(_ targets: [LogTarget], _ said: borrowing Mutex<Set<String>>) async {
        for name in pods.missing(from: targets) where said.withLock({ $0.insert(name).inserted }) {
            Output.error("waiting for \(name) to start")
        }
        for target in targets where target.logged.isEmpty && target.pods.contains(where: { !$0.hasEnded }) {
            if said.withLock({ $0.insert(target.instance).inserted }) {
                Output.error(await pods.explain(withoutLog: target))
            }
        }
    }
}
