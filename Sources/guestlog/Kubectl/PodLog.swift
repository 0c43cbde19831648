// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import KubeVirt
import Kubernetes
import LogModel
import SystemIO

/// Reads the log of one pod's container `guest-console-log`.
struct PodLog: Sendable {
    let pods: VMPods
    let pod: LauncherPod
    /// Whether the log of the container's previous run is read.
    var isPrevious = false
    /// Where reading begins; nil: at the beginning of what the kubelet has.
    var since: Timestamp?

    /// The time limit of the response's head; silence in a followed log has none.
    private static let limit = Duration.seconds(30)
    /// A silent connection is renewed after this time: middle boxes forget it without telling.
    private static let silence = Duration.seconds(300)

    /// Passes the lines that there are now to `body`: with `tail`, the last ones.
    func read(tail: Int?, _ body: @Sendable ([PodLogLine]) async throws -> Void) async throws {
        var text = PodLogText()
        try await read(&text, tail: tail, body)
        if let rest = text.finish() {
            try await body([rest])
        }
    }

    /// Does so where the log is followed from `text` on. Of a response that is cut the rest is requested, as long as more
    /// comes.
    func read(
        _ text: inout PodLogText,
        tail: Int?,
        _ body: @Sendable ([PodLogLine]) async throws -> Void
    ) async throws {
        var tail = tail
        while true {
            let before = text.resumeTime
            do {
                return try await request(&text, isFollowed: false, tail: tail, body)
            } catch let error as HTTPClientError {
                guard text.resumeTime != before else {
                    throw error
                }
            }
            tail = nil
            text.resume()
        }
    }

    /// Passes the lines that follow those in `text` to `body`, those that come too, until the container has ended.
    /// Reconnects when the connection ends before. With `tail`, only the last lines of what there is are requested as
    /// long as none was received. Throws when the API server refuses.
    func follow(
        from text: PodLogText,
        tail: Int?,
        _ body: @Sendable ([PodLogLine]) async throws -> Void
    ) async throws {
        var text = text
        text.resume()
        var pause = Self.pause
        var isRest = false
        var hasReportedFailure = false
        while true {
            let before = text.resumeTime
            let outcome = try await attempt(&text, isFollowed: !isRest, tail: before == nil ? tail : nil, body)
            if text.resumeTime != before {
                pause = Self.pause
                hasReportedFailure = false
            }
            switch PodLogEnd(outcome, pod: try await current(), isRest: isRest) {
            case .stop:
                if let rest = text.finish() {
                    try await body([rest])
                }
                return
            case .fail(let reason):
                throw KubernetesError(status: 403, reason)
            case .readRest: isRest = true
            case .resume: isRest = false
            }
            // Its node is down, for example.
            if case .refused(500..., let reason) = outcome, !hasReportedFailure {
                hasReportedFailure = true
                Output.error(pod.unreadable(reason) + "; trying again")
            }
            try await Task.sleep(for: .microseconds(pause.next()))
            text.resume()
        }
    }

    private static var pause: Backoff { Backoff(first: 50_000, doublingLimit: 2_000_000, longest: 5_000_000) }

    /// The pod; as it was when the API server does not answer.
    private func current() async throws -> LauncherPod? {
        do {
            return try await pods.current(pod)
        } catch is HTTPClientError {
            return pod
        } catch let error as KubernetesError where error.status.map({ $0 >= 500 }) ?? false {
            return pod
        }
    }

    private func attempt(
        _ text: inout PodLogText,
        isFollowed: Bool,
        tail: Int?,
        _ body: @Sendable ([PodLogLine]) async throws -> Void
    ) async throws -> PodLogEnd.Outcome {
        do {
            try await request(&text, isFollowed: isFollowed, tail: tail, body)
            return .ended
        } catch is HTTPClientError {
            return .cut
        } catch let error as KubernetesError {
            guard let status = error.status else {
                throw error
            }
            return .refused(status, error.description)
        }
    }

    /// Passes what one response has to `body`.
    private func request(
        _ text: inout PodLogText,
        isFollowed: Bool,
        tail: Int?,
        _ body: @Sendable ([PodLogLine]) async throws -> Void
    ) async throws {
        var parameters = [("container", LogContainer.name), ("timestamps", "true")]
        if isFollowed {
            parameters.append(("follow", "true"))
        }
        if isPrevious {
            parameters.append(("previous", "true"))
        }
        if let start = text.resumeTime ?? since {
            parameters.append(("sinceTime", Self.wholeSeconds(start)))
        }
        if let tail {
            parameters.append(("tailLines", String(tail)))
        }
        let path = ["api", "v1", "namespaces", pod.namespace, "pods", pod.name, "log"]
        let exchange = try await pods.client.open(KubernetesClient.Target(path, parameters), within: Self.limit)
        defer { exchange.close() }
        var hasSaidLoss = false
        while let piece = try await exchange.next(timeout: isFollowed ? Self.silence : Self.limit) {
            let lines = text.receive(piece)
            if text.mayHaveLost, !hasSaidLoss {
                hasSaidLoss = true
                Output.error("the log of \(pod.name) was rotated before it was read further; lines may be missing")
            }
            if !lines.isEmpty {
                try await body(lines)
            }
        }
    }

    /// The form of `sinceTime`, which has whole seconds.
    private static func wholeSeconds(_ time: Timestamp) -> String {
        String(time.description.prefix(19)) + "Z"
    }
}
