// SPDX-License-Identifier: Apache-2.0

/// The path of a route: fixed components, and named ones in braces, which stand for any value. The form is that of
/// OpenAPI, such as `/v1/vms/{vm}/boots`.
struct RoutePath: Hashable, Sendable, ExpressibleByStringInterpolation {
    private enum Component: Hashable {
        case fixed(String)
        case named(String)
    }

    /// The path as it was written.
    let text: String
    private let components: [Component]

    init(stringLiteral text: String) {
        self.text = text
        components = text.split(separator: "/").map { word in
            word.hasPrefix("{") ? .named(String(word.dropFirst().dropLast())) : .fixed(String(word))
        }
    }

    /// The values of the named components in a request's path; nil when the path is another.
    func values(in path: [String]) -> [String: String]? {
        guard path.count == components.count else {
            return nil
        }
        var values: [String: String] = [:]
        for (component, word) in zip(components, path) {
            switch component {
            case .fixed(let fixed):
                guard fixed == word else {
                    return nil
                }
            case .named(let name):
                values[name] = word
            }
        }
        return values
    }
}
