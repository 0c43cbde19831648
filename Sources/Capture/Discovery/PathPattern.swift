// SPDX-License-Identifier: Apache-2.0

public import LogModel
import SystemIO

/// A path with placeholders: `{name}`, `{uuid}` and `{namespace}` match parts of a file's or folder's name, as in
/// `/run/vms/{name}/console.sock`. So it tells which VM a file belongs to.
public struct PathPattern: Hashable, Sendable {
    public let text: String
    let components: [[Part]]

    enum Part: Hashable, Sendable {
        case literal(String)
        case placeholder(String)

        var isPlaceholder: Bool {
            if case .placeholder = self { true } else { false }
        }

        var text: String {
            switch self {
            case .literal(let text), .placeholder(let text): text
            }
        }
    }

    private static let placeholders = ["name", "uuid", "namespace"]

    /// Whether `text` contains a placeholder, or looks as if it did.
    public static func isPattern(_ text: String) -> Bool { text.utf8.contains(UInt8(ascii: "{")) }

    /// Whether the files' names end in a fixed text, as `.sock`: others are not in question.
    public var endsInLiteral: Bool { components.last?.last.map { !$0.isPlaceholder } ?? false }

    /// The names of its placeholders.
    public var used: [String] { components.joined().filter(\.isPlaceholder).map(\.text) }

    /// The components before the first placeholder: the administrator's part of the path.
    var literal: [String] {
        components.dropLast().prefix { !$0.contains(where: \.isPlaceholder) }.map { component in
            component.map(\.text).joined()
        }
    }

    /// The folder of these components.
    public var trustedFolder: String { "/" + literal.joined(separator: "/") }

    /// Parses `text`. Throws with the reason when it is not a valid pattern.
    public init(_ text: String) throws(PathPatternError) {
        guard text.hasPrefix("/") else {
            throw PathPatternError(pattern: text, reason: "the path must begin with /")
        }
        var components: [[Part]] = []
        for component in text.split(separator: "/") where component != "." {
            components.append(try Self.parse(component, in: text))
        }
        guard !text.contains(where: { $0 == "*" || $0 == "?" }) else {
            throw PathPatternError(
                pattern: text,
                reason: "* and ? are not wildcards here; use {name}, {uuid} or {namespace} for what differs"
            )
        }
        self.text = text
        self.components = components
        guard used.contains("name") || used.contains("uuid") else {
            throw PathPatternError(pattern: text, reason: "it must contain {name} or {uuid}")
        }
        guard Set(used).count == used.count else {
            throw PathPatternError(pattern: text, reason: "it contains a placeholder twice")
        }
    }

    private static func parse(_ component: Substring, in text: String) throws(PathPatternError) -> [Part] {
        var parts: [Part] = []
        var rest = component
        while let open = rest.firstIndex(of: "{") {
            guard let close = rest[open...].firstIndex(of: "}") else {
                throw PathPatternError(pattern: text, reason: "{ without }")
            }
            let name = String(rest[rest.index(after: open)..<close])
            guard placeholders.contains(name) else {
                throw PathPatternError(
                    pattern: text,
                    reason: "unknown placeholder {\(name)}; use {name}, {uuid} or {namespace}"
                )
            }
            if open > rest.startIndex {
                parts.append(.literal(String(rest[..<open])))
            } else if !parts.isEmpty {
                throw PathPatternError(pattern: text, reason: "two placeholders must be separated")
            }
            parts.append(.placeholder(name))
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty {
            parts.append(.literal(String(rest)))
        }
        return parts
    }

    /// The VM to which a file with these `values` belongs. Throws with the reason when one is not valid.
    public func vm(_ values: [String: String]) throws(PathPatternError) -> VMIdentity {
        for (placeholder, value) in values {
            if let rule = VMIdentity.fault(inName: value) {
                throw PathPatternError(
                    pattern: text,
                    reason: "a VM's \(placeholder) must be \(rule), not '\(value)'"
                )
            }
        }
        let uuid = values["uuid"].flatMap(VMIdentity.canonicalUUID)
        if uuid == nil, let text = values["uuid"] {
            throw PathPatternError(pattern: self.text, reason: "'\(text)' at {uuid} is not a UUID")
        }
        return VMIdentity(name: values["name"] ?? uuid ?? "", uuid: uuid, namespace: values["namespace"])
    }

    /// The values of the placeholders in `path`; nil when it does not match.
    public func values(in path: String) -> [String: String]? {
        let names = path.utf8.split(separator: UInt8(ascii: "/"))
        guard names.count == components.count else {
            return nil
        }
        var values: [String: String] = [:]
        for (component, name) in zip(components, names) {
            guard let more = Self.match(component, name) else {
                return nil
            }
            values.merge(more) { _, new in new }
        }
        return values
    }

    // MARK: - Templates

    /// The folder before the first placeholder of `template`.
    public static func literalFolder(of template: String) -> String {
        let literal = template.utf8.prefix { $0 != UInt8(ascii: "{") }
        return DirectoryHandle.split(String(Substring(literal))).directory
    }

    /// `template` with the placeholders replaced by `values`, once each, whatever the values contain.
    public static func fill(_ template: String, _ values: [String: String]) -> String {
        var filled = ""
        var rest = template[...]
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            let placeholder = rest[rest.index(after: open)..<close]
            filled += rest[..<open] + (values[String(placeholder)] ?? "{\(placeholder)}")
            rest = rest[rest.index(after: close)...]
        }
        return filled + rest
    }

    // MARK: - Matching

    /// The values of the placeholders of `component` in `name`, byte for byte, or nil when it does not match. A
    /// placeholder matches as little as possible and at least one byte; `{uuid}` matches a UUID, or anything when a
    /// UUID is not required.
    static func match(
        _ component: some Collection<Part>,
        _ name: Substring.UTF8View,
        requiringUUID: Bool = true
    ) -> [String: String]? {
        guard let first = component.first else {
            return name.isEmpty ? [:] : nil
        }
        let rest = Array(component.dropFirst())
        switch first {
        case .literal(let literal):
            guard name.starts(with: literal.utf8) else {
                return nil
            }
            return match(rest, name.dropFirst(literal.utf8.count), requiringUUID: requiringUUID)
        case .placeholder(let placeholder):
            let ends = (rest.isEmpty ? [] : Array(name.indices.dropFirst())) + [name.endIndex]
            for end in ends where end > name.startIndex {
                guard var found = match(rest, name[end...], requiringUUID: requiringUUID) else {
                    continue
                }
                let text = String(Substring(name[..<end]))
                if !requiringUUID || placeholder != "uuid" || VMIdentity.canonicalUUID(text) != nil {
                    found[placeholder] = text
                    return found
                }
            }
            return nil
        }
    }
}

/// A pattern that is not valid, and why.
public struct PathPatternError: Error, Hashable, Sendable, CustomStringConvertible {
    public var pattern: String
    public var reason: String

    public init(pattern: String, reason: String) {
        (self.pattern, self.reason) = (pattern, reason)
    }

    public var description: String { "\(pattern): \(reason)" }
}
