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
    /// The last lines that there are now only; with 0, which the caller leaves out, one is read, to know where they end.
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
        _ = try await each(of: logged) { try await collect($0) }
        return !logged.isEmpty
    }

    /// What `body` returns for each of the VMs, of which it takes a few at a time.
    private func each<Result: Sendable>(
        of targets: [LogTarget],
        _ body: @escaping @Sendable (LogTarget) async throws -> Result
    ) async throws -> [Result] {
        try await withThrowingTaskGroup(of: Result.self) { tasks in
            var results: [Result] = []
            for (index, target) in targets.enumerated() {
                if index >= Self.concurrency, let result = try await tasks.next() {
                    results.append(result)
                }
                tasks.addTask { try await body(target) }
            }
            for try await result in tasks {
                results.append(result)
            }
            return results
        }
    }

    /// Reads the pods of a VM one after the other.
    private func collect(_ target: LogTarget) async throws {
        for pod in target.logged {
            try await collector.add(pod)
            do {
                try await log(of: pod).read(tail: readTail) { try await collector.receive($0, from: pod) }
            } catch let error as KubernetesError where error.status == 400 || error.status == 404 {
                Output.error("\(pod.vm): \(error)")
            }
            try await collector.end(pod)
        }
    }

    private func log(of pod: LauncherPod) -> PodLog {
        PodLog(pods: pods, pod: pod, isPrevious: isPrevious, since: since)
    }

    private var readTail: Int? { tail.map { max($0, 1) } }

    // MARK: - What comes

    /// Collects what there is now, to be followed from there; returns what of each pod's log was read, by the pod's UID.
    func begin() async throws -> [String: PodLogText] {
        let texts = try await each(of: try await pods.list()) { try await begin($0) }
        return texts.reduce(into: [:]) { all, texts in all.merge(texts) { $1 } }
    }

    private func begin(_ target: LogTarget) async throws -> [String: PodLogText] {
        var texts: [String: PodLogText] = [:]
        for pod in target.logged where pod.log != .waiting {
            try await collector.add(pod)
            var text = PodLogText()
            do {
                try await log(of: pod).read(&text, tail: readTail) { try await collector.receive($0, from: pod) }
            } catch let error as KubernetesError where error.status == 400 || error.status == 404 {
                // Its log is not there yet, or not any more: following finds out.
                continue
            }
            if pod.log == .ended {
                // A last line without an end comes before its successor's lines too.
                if let rest = text.finish() {
                    try await collector.receive([rest], from: pod)
                }
                try await collector.end(pod)
            }
            texts[pod.uid] = text
        }
        return texts
    }

    /// Collects what comes after what `begin` has read, and all of other pods, until cancelled. Throws when the API server
    /// refuses.
    func follow(from texts: [String: PodLogText]) async throws {
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
                        try await log(of: pod).follow(from: texts[pod.uid] ?? PodLogText()) { lines in
                            try await collector.receive(lines, from: pod)
                        }
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
