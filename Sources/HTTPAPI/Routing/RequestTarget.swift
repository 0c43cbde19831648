// SPDX-License-Identifier: Apache-2.0

import LogModel

/// A request's path and parameters, percent-decoded.
public struct RequestTarget: Hashable, Sendable {
    public var components: [String]
    /// The parameters' values in order, by name.
    public var parameters: [String: [String]]

    /// The target `text`, such as `/v1/logs?vm=web`; nil for malformed percent-encoding.
    public init?(_ text: String) {
        let halves = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        components = []
        parameters = [:]
        for part in (halves.first ?? "").split(separator: "/") {
            guard let decoded = Self.decode(part) else {
                return nil
            }
            components.append(decoded)
        }
        for pair in halves.dropFirst().first?.split(separator: "&") ?? [] {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            // In parameters, as in forms, `+` is a space; in a path it is not special.
            let decoded = parts.map { Self.decode(Substring($0.replacing("+", with: " "))) }
            guard let name = decoded[0], let value = decoded.count > 1 ? decoded[1] : "" else {
                return nil
            }
            parameters[name, default: []].append(value)
        }
    }

    public init(_ components: [String], _ parameters: [String: [String]] = [:]) {
        self.components = components
        self.parameters = parameters
    }

    subscript(name: String) -> String? { parameters[name]?.first }

    private static let yes: Set<String> = ["1", "true", "yes", "on"]
    private static let no: Set<String> = ["0", "false", "no", "off"]

    /// The value of the boolean parameter `name`; nil when it is absent. Throws `APIError` 400 for any other word.
    func flag(_ name: String) throws(APIError) -> Bool? {
        guard let value = self[name] else {
            return nil
        }
        let word = value.lowercased()
        guard Self.yes.contains(word) || Self.no.contains(word) else {
            throw .badRequest("\(name)=\(value.prefix(100)): must be true or false (1 or 0, yes or no, on or off)")
        }
        return Self.yes.contains(word)
    }

    /// The path, without the parameters, which may hold secrets.
    var path: String { "/" + components.map(PercentEncoding.uri.encode).joined(separator: "/") }

    /// The target as it is written in a request.
    var text: String {
        let pairs = parameters.sorted { $0.key < $1.key }.flatMap { name, values in
            values.map { PercentEncoding.uri.encode(name) + "=" + PercentEncoding.uri.encode($0) }
        }
        return pairs.isEmpty ? path : path + "?" + pairs.joined(separator: "&")
    }

    /// The text that a percent-encoded part of a target stands for; nil when it is malformed, or not UTF-8.
    static func decode(_ text: some StringProtocol) -> String? {
        PercentEncoding.decode(text).flatMap { String(validating: $0, as: UTF8.self) }
    }
}
