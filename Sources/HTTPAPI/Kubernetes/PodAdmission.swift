// SPDX-License-Identifier: Apache-2.0

public import KubeVirt
public import LogModel
import SystemIO

/// Decides about virt-launcher pods that are being created: which change a pod gets, and what is reported about it.
///
/// Every pod is allowed. A lookup that fails or takes longer than `lookupLimit` leaves the pod as it is.
public struct PodAdmission: Sendable {
    public var settings: PodPatch.Settings
    /// Whether VMs that do not set `logSerialConsole` are logged.
    public var clusterDefault: Bool
    /// Returns a VirtualMachineInstance by its namespace and name; nil: there are no lookups, and a pod gets the container
    /// only when KubeVirt or its annotation says so.
    public var instance: (@Sendable (_ namespace: String, _ name: String) async throws -> JSON)?

    /// The time limit of a lookup: half of what the API server waits for the webhook.
    static let lookupLimit = Duration.seconds(1)

    public init(
        settings: PodPatch.Settings,
        clusterDefault: Bool = true,
        instance: (@Sendable (_ namespace: String, _ name: String) async throws -> JSON)? = nil
    ) {
        self.settings = settings
        self.clusterDefault = clusterDefault
        self.instance = instance
    }

    /// The answer to `review`, and a message about it.
    func answer(_ review: AdmissionReview) async -> (answer: JSON, message: String) {
        let metadata = review.object["metadata"]
        let pod = review.namespace + "/" + (metadata?["name"]?.text ?? metadata?["generateName"]?.text ?? "")
        do {
            let patch = try PodPatch(review.object, await logging(of: review), settings)
            let message = patch.reason.map { "left as it is: \($0)" }
            let done = patch.operations.isEmpty ? "has \(LogContainer.name) already" : "gets \(LogContainer.name)"
            return (review.answer(patch), "pod \(pod) \(message ?? done)")
        } catch {
            let message = "pod \(pod) is not logged: \(error)"
            return (review.answer(nil, warning: "guestlog: \(message)"), message)
        }
    }

    /// The setting of the pod's VM; nil when it is not looked up.
    private func logging(of review: AdmissionReview) async throws -> SerialLogging? {
        guard let instance, let pod = LauncherPod(review.object), pod.log == .absent else {
            return nil
        }
        let found = try await Self.limited { try await instance(review.namespace, pod.vm) }
        return SerialLogging(try SerialDevices(of: found), clusterDefault: clusterDefault)
    }

    /// The lookup exceeded its time limit.
    struct TimedOut: Error, CustomStringConvertible {
        var description: String { "the API server did not return its VirtualMachineInstance within \(lookupLimit)" }
    }

    private static func limited(_ body: @escaping @Sendable () async throws -> JSON) async throws -> JSON {
        try await withThrowingTaskGroup(of: JSON.self) { tasks in
            tasks.addTask { try await body() }
            tasks.addTask {
                try await Task.sleep(for: lookupLimit)
                throw TimedOut()
            }
            defer { tasks.cancelAll() }
            return try await tasks.next() ?? .null
        }
    }
}
