// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOCore
import NIOHTTP1
import SystemIO
import Testing

@testable import HTTPAPI

@Suite struct RouterTests {
    private static func route(_ method: HTTPMethod, _ path: RoutePath) -> Route {
        Route(method, path, for: .everyone) { _ in Response(.null) }
    }

    private let router = Router([
        RouteGroup(
            prefixes: ["a"],
            routes: [
                route(.GET, "/a/things"), route(.POST, "/a/things"), route(.GET, "/a/things/new"),
                route(.GET, "/a/things/{thing}"), route(.DELETE, "/a/things/{thing}"),
                route(.GET, "/a/{kind}/{thing}/parts"),
            ]
        ),
        RouteGroup(
            prefixes: ["", "b"],
            routes: [route(.GET, "/"), route(.POST, "/b")],
            unknownPath: { _ in APIError(404, "b has no such path", code: "b_path") },
            errorResponse: { Response(.object([("b", .string($0.code))]), status: $0.status) }
        ),
    ])

    private func match(_ method: HTTPMethod, _ target: String) throws(APIError) -> (String, [String: String]) {
        guard let target = RequestTarget(target) else {
            throw .badRequest("malformed")
        }
        let (route, values) = try router.match(method, target)
        return ("\(route.method) \(route.path.text)", values)
    }

    @Test("a request gets the route of its method and path, and the values in the path")
    func matches() throws {
        #expect(try match(.POST, "/a/things") == ("POST /a/things", [:]))
        #expect(try match(.GET, "/a/things/new?x=1") == ("GET /a/things/new", [:]))
        #expect(try match(.DELETE, "/a/things/new") == ("DELETE /a/things/{thing}", ["thing": "new"]))
        #expect(try match(.GET, "/a/things/x%2fy") == ("GET /a/things/{thing}", ["thing": "x/y"]))
        #expect(try match(.GET, "/a/k/t/parts") == ("GET /a/{kind}/{thing}/parts", ["kind": "k", "thing": "t"]))
        #expect(try match(.GET, "/") == ("GET /", [:]))
    }

    @Test("an unknown path is refused as its group does, another method with those that are allowed")
    func refuses() throws {
        for path in ["/a", "/a/things/x/pieces", "/a/things/x/parts/y"] {
            let error = #expect(throws: APIError.self) { try match(.GET, path) }
            #expect(error?.status == 404 && error?.message.contains(path) == true)
        }
        #expect(#expect(throws: APIError.self) { try match(.GET, "/b/c") }?.code == "b_path")
        let elsewhere = #expect(throws: APIError.self) { try match(.GET, "/c") }
        #expect(elsewhere?.status == 404 && elsewhere?.message.contains("/a, /b") == true)
        let method = #expect(throws: APIError.self) { try match(.PUT, "/a/things/new") }
        #expect(method?.status == 405 && method?.code == "method_not_allowed")
        #expect(method?.headers.first?.0 == "Allow" && method?.headers.first?.1 == "DELETE, GET, HEAD")
    }

    @Test("an error is reported in the form of the group that its path belongs to")
    func errorForms() {
        let error = APIError.conflict("twice")
        let forms = [("/a/things", "error"), ("/b", "b"), ("/", "b"), ("/c", "error"), (nil, "error")]
        for (path, member) in forms {
            let response = router.response(to: path.flatMap { RequestTarget($0) }, error)
            guard case .bytes(let body) = response.body, let json = try? JSON(parsing: Array(body.readableBytesView))
            else {
                Issue.record("no JSON")
                continue
            }
            #expect(response.status == 409 && json[member] != nil, "\(path ?? "")")
        }
    }

    @Test("a permission admits those whom it names")
    func permissions() {
        let reader = Caller(name: "r", access: Access(scopes: [.read], vms: .all), token: "r")
        let some = Caller(name: "s", access: Access(scopes: [.admin], vms: VMPattern(["lab/*"])), token: "s")
        let all = Caller(name: "a", access: .all, token: "a")
        let local = Caller(nil)
        let own = Caller(.init(process: 1, user: 0, group: 0))
        func admitted(_ permission: Permission) -> [Bool] {
            [reader, some, all, local, own].map { (try? permission.check($0)) != nil }
        }
        #expect(admitted(.everyone) == [true, true, true, true, true])
        #expect(admitted(.callers) == [true, true, true, true, true])
        #expect(admitted(.scope(.read)) == [true, true, true, true, true])
        #expect(admitted(.scope(.admin)) == [false, true, true, true, true])
        #expect(admitted(.scopeOnAllVMs(.read)) == [true, false, true, true, true])
        #expect(admitted(.scopeOnAllVMs(.admin)) == [false, false, true, true, true])
        #expect(admitted(.thisHost) == [false, false, false, true, true])
        #expect(admitted(.daemonsOwn) == [false, false, false, false, true])
    }
}
