// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import NIOHTTP1
import SystemIO

/// Routes requests and authenticates their senders, each request once.
struct Admission: Sendable {
    let router: Router
    let context: ServerContext
    /// Whether connections from this process itself are served: a console that names the API's own socket would make
    /// the daemon its own client.
    let servesItself: Bool

    /// A request whose head was read.
    struct Admitted: Sendable {
        /// The route that matches; nil when no route does.
        let route: Route?
        /// The request, without its body; or why it is refused.
        let call: Result<Call, APIError>
        /// Whose web page has sent the request, if it is one of another origin and allowed.
        let crossOrigin: CrossOrigin?
        /// The response that reports an error of this request.
        let errorResponse: @Sendable (APIError) -> Response
    }

    /// Whether the route of a request accepts WebSockets.
    func isForWebSocket(_ head: HTTPRequestHead) -> Bool {
        guard let target = RequestTarget(head.inOriginForm.uri), let match = try? router.match(head.method, target)
        else {
            return false
        }
        return if case .webSocket = match.0.handler { true } else { false }
    }

    /// Routes a request by its head, and checks that its sender may use the route.
    func admit(_ head: HTTPRequestHead, from origin: RequestOrigin) -> Admitted {
        let head = head.inOriginForm
        let target = RequestTarget(head.uri)
        var route: Route?
        let call = Result { () throws(APIError) in
            let hosts = head.headers["Host"].count
            guard hosts == 1 || hosts == 0 && !head.isHTTP11 else {
                throw APIError.badRequest("the request has \(hosts) Host fields: send one")
            }
            let codings = head.headers[canonicalForm: "Transfer-Encoding"]
            if let coding = codings.first(where: { $0.lowercased() != "chunked" }) {
                let message = "Transfer-Encoding: \(coding) is not supported; use chunked"
                throw APIError(501, message, code: "not_implemented")
            }
            guard let target else {
                throw APIError.badRequest("the request target has malformed percent-encoding")
            }
            let match = try router.match(head.method == .HEAD ? .GET : head.method, target)
            route = match.0
            if case .network(let listener) = origin.listener {
                try listener.checkOrigin(head.headers)
            }
            let caller = match.0.permission == .everyone ? .unidentified : try caller(head, origin)
            try match.0.permission.check(caller)
            try match.0.checkParameters(of: target)
            let reader = context.reader(for: caller) { origin.channel.isActive }
            return Call(
                head: head,
                target: target,
                values: match.values,
                caller: caller,
                origin: origin,
                reader: reader
            )
        }
        let crossOrigin = CrossOrigin(head, by: origin.listener)
        return Admitted(route: route, call: call, crossOrigin: crossOrigin) { [router] in
            router.response(to: target, $0)
        }
    }

    private func caller(_ head: HTTPRequestHead, _ origin: RequestOrigin) throws(APIError) -> Caller {
        switch origin.listener {
        case .local:
            guard servesItself || origin.peer?.process != getpid() else {
                throw APIError(403, "the API's own socket cannot be captured as a console")
            }
            return Caller(origin.peer)
        case .network(let listener):
            return try listener.caller(
                head.headers,
                from: origin.channel.remoteAddress,
                tokens: context.tokens,
                now: context.now
            )
        }
    }
}

extension HTTPRequestHead {
    /// The same request with a target in origin form. One in absolute form, as for a proxy, has the host in the target,
    /// and its field Host does not count (RFC 9112, section 3.2.2).
    var inOriginForm: HTTPRequestHead {
        guard let scheme = ["http://", "https://"].first(where: { uri.lowercased().hasPrefix($0) }) else {
            return self
        }
        let rest = uri.utf8.dropFirst(scheme.utf8.count)
        let end = rest.firstIndex { [UInt8(ascii: "/"), UInt8(ascii: "?")].contains($0) } ?? rest.endIndex
        var head = self
        head.headers.replaceOrAdd(name: "Host", value: String(Substring(rest[..<end])))
        let path = String(Substring(rest[end...]))
        head.uri = path.hasPrefix("/") ? path : "/" + path
        return head
    }
}
