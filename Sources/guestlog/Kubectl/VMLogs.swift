// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPClient
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

    /// What `collect` found.
    struct Outcome: Sendable {
        /// Whether any VM has a log.
        var hasLog = false
        /// The exit status for the first failure, which was reported; nil: all logs were read whole.
        var failure: ExitCode?
    }

    /// Collects what there is now, and reports VMs without a log, and logs that cannot be read: they do not keep those of
    /// others from being shown.
    func collect() async throws -> Outcome {
        let targets = try await pods.list()
        var outcome = Outcome()
        for name in pods.missing(from: targets) {
            do {
                Output.error(try await pods.explain(withoutPod: name))
            } catch let error as CommandLineError {
                Output.error("\(error)")
                outcome.failure = outcome.failure ?? ExitCode.wrongUse
            } catch let error as KubernetesError where error.status != nil {
                Output.error("\(name): \(error)")
                outcome.failure = outcome.failure ?? error.exitCode
            }
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
        let failures = try await each(of: logged) { try await collect($0) }.compactMap { $0 }
        outcome.hasLog = !logged.isEmpty
        outcome.failure = outcome.failure ?? failures.first
        return outcome
    }

    /// What `body` returns for each of the VMs, of which it takes a few at a time.
    private func each<Value: Sendable>(
        of targets: [LogTarget],
        _ body: @escaping @Sendable (LogTarget) async throws -> Value
    ) async throws -> [Value] {
        try await withThrowingTaskGroup(of: Value.self) { tasks in
            var results: [Value] = []
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

    /// Reads the pods of a VM one after the other; returns the exit status for the first log that cannot be read.
    private func collect(_ target: LogTarget) async throws -> ExitCode? {
        var failure: ExitCode?
        for pod in target.logged {
            try await collector.add(pod)
            do {
                try await log(of: pod).read(tail: readTail) { try await collector.receive($0, from: pod) }
            } catch let error as KubernetesError where error.status == 400 || error.status == 404 {
                Output.error("\(pod.vm): \(error)")
            } catch let error as KubernetesError where error.status != nil {
                Output.error(pod.unreadable(error))
                failure = failure ?? error.exitCode
            } catch let error as HTTPClientError {
                Output.error(pod.unreadable(error))
                failure = failure ?? error.exitCode
            }
            try await collector.end(pod)
        }
        return failure
    }

    private func log(of pod: LauncherPod) -> PodLog {
        PodLog(pods: pods, pod: pod, isPrevious: isPrevious, since: since)
    }

    private var readTail: Int? { tail.map { max($0, 1) } }

    // MARK: - What comes

    /// Where a pod's log is followed from.
    struct Beginning: Sendable {
        /// What was read of it.
        var text = PodLogText()
        /// Of a log that could not be read, the last lines that are requested; nil: all.
        var tail: Int?
    }

    /// Collects what there is now, to be followed from there; returns where, by the pods' UIDs.
    func begin() async throws -> [String: Beginning] {
        let beginnings = try await each(of: try await pods.awaitList()) { try await begin($0) }
        return beginnings.reduce(into: [:]) { all, more in all.merge(more) { $1 } }
    }

    private func begin(_ target: LogTarget) async throws -> [String: Beginning] {
        var beginnings: [String: Beginning] = [:]
        for pod in target.logged where pod.log != .waiting {
            try await collector.add(pod)
            var text = PodLogText()
            var isWhole = false
            do {
                try await log(of: pod).read(&text, tail: readTail) { try await collector.receive($0, from: pod) }
                isWhole = true
            } catch let error as KubernetesError where error.status != nil {
                // Its log is not there yet, or not any more, or cannot be read: following finds out.
            } catch is HTTPClientError {
                // What is missing is requested again.
            }
            if isWhole, pod.log == .ended {
                // A last line without an end comes before its successor's lines too.
                if let rest = text.finish() {
                    try await collector.receive([rest], from: pod)
                }
                try await collector.end(pod)
            }
            // With a tail of 0 only what comes is requested: there is no line yet from which to go on.
            beginnings[pod.uid] = Beginning(text: text, tail: isWhole ? nil : tail)
        }
        return beginnings
    }

    private enum Event: Sendable {
        /// The containers of these pods have started.
        case started([LauncherPod])
        /// Nothing more of a pod's log will come; `refusal` says why it cannot be read.
        case ended(refusal: KubernetesError?)
    }

    /// Collects what comes after what `begin` has read, and all of other pods, until cancelled. Reports the logs that the
    /// API server refuses, and throws when none is left.
    func follow(from beginnings: [String: Beginning]) async throws {
        let (events, continuation) = AsyncThrowingStream<Event, any Error>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                do {
                    try await watch { continuation.yield(.started($0)) }
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            var followed = 0
            for try await event in events {
                switch event {
                case .started(let pods):
                    followed += pods.count
                    for pod in pods {
                        tasks.addTask {
                            do {
                                let refusal = try await follow(pod, from: beginnings[pod.uid] ?? Beginning())
                                continuation.yield(.ended(refusal: refusal))
                            } catch {
                                continuation.finish(throwing: error)
                            }
                        }
                    }
                case .ended(let refusal):
                    followed -= 1
                    if let refusal, followed == 0 {
                        throw refusal
                    }
                    if let refusal {
                        Output.error("\(refusal)")
                    }
                }
            }
        }
    }

    /// Collects the log of `pod` from `beginning` on until its container has ended; returns why it cannot be read.
    private func follow(_ pod: LauncherPod, from beginning: Beginning) async throws -> KubernetesError? {
        var refusal: KubernetesError?
        do {
            try await log(of: pod).follow(from: beginning.text, tail: beginning.tail) { lines in
                try await collector.receive(lines, from: pod)
            }
        } catch let error as KubernetesError where error.status == 403 {
            refusal = KubernetesError(status: error.status, pod.unreadable(error))
        }
        try await collector.end(pod)
        return refusal
    }

    /// Passes pods to `body` once their containers have started: before, their logs cannot be requested.
    private func watch(_ body: ([LauncherPod]) -> Void) async throws {
        var known: Set<String> = []
        var said: Set<String> = []
        try await pods.watch { targets in
            await report(targets, &said)
            var started: [LauncherPod] = []
            for pod in targets.flatMap(\.logged) where pod.log != .waiting {
                if known.insert(pod.uid).inserted {
                    try await collector.add(pod)
                    started.append(pod)
                }
            }
            body(started)
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
