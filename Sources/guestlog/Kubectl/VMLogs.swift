// SPDX-License-Identifier: Apache-2.0

import KubeVirt
import Kubernetes
import LogModel
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

    /// Collects what there is and what comes, until cancelled. Throws when the API server refuses.
    func follow() async throws {
        let (started, continuation) = AsyncThrowingStream<LauncherPod, any Error>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                do {
                    try await watch { continuation.yield($0) }
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            for try await pod in started {
                tasks.addTask {
                    do {
                        try await log(of: pod).follow { try await collector.receive($0, from: pod) }
                        try await collector.end(pod)
                    } catch {
                        continuation.finish(throwing: error)
                    }
                }
            }
        }
    }

    /// Passes each pod to `body` once its container has started: before, its log cannot be requested.
    private func watch(_ body: (LauncherPod) -> Void) async throws {
        var known: Set<String> = []
        var said: Set<String> = []
        try await pods.watch { targets in
            await report(targets, &said)
            for pod in targets.flatMap(\.logged) where pod.log != .waiting {
                if known.insert(pod.uid).inserted {
                    try await collector.add(pod)
                    body(pod)
                }
            }
            return true
        }
    }

    /// Says once of each VM why nothing of it is shown yet.
    private func report(_ targets: [LogTarget], _ said: inout Set<String>) async {
        for name in pods.missing(from: targets) where said.insert(name).inserted {
            Output.error("waiting for \(name) to start")
        }
        for target in targets where target.logged.isEmpty && target.pods.contains(where: { !$0.hasEnded }) {
            if said.insert(target.instance).inserted {
                Output.error(await pods.explain(withoutLog: target))
            }
        }
    }
}
