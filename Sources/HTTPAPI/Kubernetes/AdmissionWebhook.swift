// SPDX-License-Identifier: Apache-2.0

import KubeVirt
import LogModel
import NIOHTTP1
public import SystemIO

/// The server of a mutating admission webhook (https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/).
///
/// `POST /mutate-pod` answers an AdmissionReview, `GET /healthz` a probe. Callers are not authenticated: an answer tells
/// nothing that the question did not.
public final class AdmissionWebhook: Sendable {
    private let server: HTTPServer
    private let identity: TLSIdentity

    /// The path of the webhook.
    public static let path = "/mutate-pod"
    /// Maximum size of an AdmissionReview, in bytes: twice the API server's own limit of an object.
    private static let bodyLimit = 6 << 20

    /// A webhook that decides by `admission`, and presents `identity`.
    public init(_ admission: PodAdmission, identity: TLSIdentity, diagnostics: Diagnostics) {
        self.identity = identity
        let routes = [
            Route(.POST, "/mutate-pod", for: .everyone, bodyLimit: Self.bodyLimit) { call in
                let review: AdmissionReview
                do {
                    review = try AdmissionReview(JSON(body: call.body))
                } catch let error as KubeVirtError {
                    throw APIError.badRequest("\(error)")
                }
                let (answer, message) = await admission.answer(review)
                diagnostics.log(.info, message)
                return Response(answer)
            },
            Route(.GET, "/healthz", for: .everyone) { _ in Response(.object([("ok", .bool(true))])) },
        ]
        let prefixes = Set(routes.map { String($0.path.text.dropFirst()) })
        let group = RouteGroup(prefixes: prefixes, routes: routes)
        let context = ServerContext(tokens: TokenRegister(), clock: SystemClock(), diagnostics: diagnostics)
        server = HTTPServer([group], context: context, limits: Self.limits)
    }

    /// Few API servers have many connections each.
    private static var limits: APIServer.Limits {
        var limits = APIServer.Limits()
        limits.connectionsPerAddress = limits.networkConnections
        return limits
    }

    /// Serves on `socket`, a listening TCP socket, until cancelled.
    public func run(on socket: consuming Descriptor) async throws {
        try await server.run(on: socket, as: .network(TCPListener(identity: identity)))
    }
}
