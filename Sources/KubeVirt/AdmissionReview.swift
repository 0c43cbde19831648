// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// A question of the Kubernetes API about an object that is being created (AdmissionReview, admission.k8s.io/v1), and
/// the answer to it.
public struct AdmissionReview: Sendable {
    static let version = "admission.k8s.io/v1"

    /// The question's identifier, which the answer repeats.
    public let uid: String
    /// The object, as it would be created.
    public let object: JSON
    /// Whether the request only tries what would happen: answers must have no side effects then.
    let isDryRun: Bool
    /// The namespace of the object.
    public let namespace: String

    /// Reads the body of a request. Throws for another kind or version, and without a `uid` or an object.
    public init(_ review: JSON) throws(KubeVirtError) {
        guard review["kind"]?.text == "AdmissionReview" else {
            throw KubeVirtError("the body is not an AdmissionReview")
        }
        guard review["apiVersion"]?.text == Self.version else {
            throw KubeVirtError("the AdmissionReview is not of \(Self.version); set admissionReviewVersions: [v1]")
        }
        guard let request = review["request"], let uid = request["uid"]?.text, let object = request["object"],
            case .object = object
        else {
            throw KubeVirtError("the AdmissionReview has no request with a uid and an object")
        }
        self.uid = uid
        self.object = object
        isDryRun = request["dryRun"]?.bool ?? false
        namespace = request["namespace"]?.text ?? object["metadata"]?["namespace"]?.text ?? ""
    }

    /// The answer: the object is allowed in any case, with the changes of `patch` if there are any. Clients show
    /// `warning` to people; the API server cuts it after 256 characters.
    public func answer(_ patch: PodPatch?, warning: String? = nil) -> JSON {
        var response: [(String, JSON)] = [("uid", .string(uid)), ("allowed", .bool(true))]
        if let patch, !patch.operations.isEmpty {
            var encoded: [UInt8] = []
            patch.json.bytes.withUnsafeBytes { Base64.append($0, to: &encoded) }
            response.append(("patchType", .string("JSONPatch")))
            response.append(("patch", .string(String(decoding: encoded, as: UTF8.self))))
        }
        if let warning {
            response.append(("warnings", .array([.string(warning)])))
        }
        return .object([
            ("apiVersion", .string(Self.version)), ("kind", .string("AdmissionReview")),
            ("response", .object(response)),
        ])
    }
}
