// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOHTTP1

/// The meaning of a request.
enum Route: Hashable {
    case status
    case vms
    case logs
    case boots(vm: String)
    case wait(vm: String)
    case console(vm: String)
    case addConsole
    case removeConsole(name: String)
    case endVM(vm: String)
    case tokens
    case addToken
    case revokeToken(id: String)

    /// The scope that the route needs; nil: the route is not available over the network.
    var scope: Access.Scope? {
        switch self {
        case .status, .vms, .logs, .boots, .wait: .read
        case .console: .console
        case .removeConsole, .endVM: .admin
        // An added console's endpoint is opened by the daemon, with its rights.
        case .addConsole, .tokens, .addToken, .revokeToken: nil
        }
    }

    /// Whether only root and the daemon's own user may use the route.
    var isDaemonsOwn: Bool {
        switch self {
        case .tokens, .addToken, .revokeToken: true
        default: false
        }
    }

    /// The route of a request. Throws `APIError` 404 or 405.
    init(_ method: HTTPMethod, _ target: RequestTarget) throws(APIError) {
        guard target.components.first == "v1" else {
            throw .notFound("unknown path /\(target.components.joined(separator: "/")); paths begin with /v1")
        }
        let rest = Array(target.components.dropFirst())
        let known: [(HTTPMethod, Route)]
        switch rest.count {
        case 1 where rest[0] == "status": known = [(.GET, .status)]
        case 1 where rest[0] == "vms": known = [(.GET, .vms)]
        case 1 where rest[0] == "logs": known = [(.GET, .logs)]
        case 1 where rest[0] == "consoles": known = [(.POST, .addConsole)]
        case 1 where rest[0] == "tokens": known = [(.GET, .tokens), (.POST, .addToken)]
        case 2 where rest[0] == "tokens": known = [(.DELETE, .revokeToken(id: rest[1]))]
        case 2 where rest[0] == "consoles": known = [(.DELETE, .removeConsole(name: rest[1]))]
        case 2 where rest[0] == "vms": known = [(.DELETE, .endVM(vm: rest[1]))]
        case 3 where rest[0] == "vms" && rest[2] == "boots": known = [(.GET, .boots(vm: rest[1]))]
        case 3 where rest[0] == "vms" && rest[2] == "wait": known = [(.GET, .wait(vm: rest[1]))]
        case 3 where rest[0] == "vms" && rest[2] == "console": known = [(.GET, .console(vm: rest[1]))]
        default: throw .notFound("unknown path \(target.text); see docs/openapi.yaml")
        }
        guard let match = known.first(where: { $0.0 == method }) else {
            let allowed = known.map { $0.0.rawValue }.joined(separator: ", ")
            throw APIError(405, "\(method.rawValue) is not allowed for \(target.text); use \(allowed)")
        }
        self = match.1
    }
}
