// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import RotatingFile
import SystemIO

/// A path pattern for discovered consoles: `{name}`, `{uuid}` and `{namespace}` match parts of a file's or folder's
/// name, as in `/run/vms/{name}/console.sock`.
public struct DiscoveryPattern: Hashable, Sendable {
    public let text: String
    /// The stream of the consoles.
    public var stream: StreamName
    /// The path of each console's plain file, with the same placeholders; nil: none.
    public var plainFile: String?
    /// The plain files' size and backups.
    public var plainLimits: RotationLimits
    /// The rate above which bytes are dropped from the store; nil: none.
    public var rate: RateLimit?

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

    /// The placeholders, with an example of each.
    private static let sample = ["name": "web", "uuid": "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11", "namespace": "lab"]

    /// The components before the first placeholder: the administrator's part of the path.
    var literal: [String] {
        components.dropLast().prefix { !$0.contains(where: \.isPlaceholder) }.map { component in
            component.map(\.text).joined()
        }
    }

    /// The folder of these components.
    var trustedFolder: String { "/" + literal.joined(separator: "/") }

    /// Parses `text`. Throws with the reason when it is not a valid pattern.
    public init(
        _ text: String,
        stream: StreamName = .console0,
        plainFile: String? = nil,
        plainLimits: RotationLimits = .standard,
        rate: RateLimit? = .standard
    ) throws(DiscoveryPatternError) {
        guard text.hasPrefix("/") else {
            throw DiscoveryPatternError(pattern: text, reason: "the path must begin with /")
        }
        var components: [[Part]] = []
        for component in text.split(separator: "/") where component != "." {
            components.append(try Self.parse(component, in: text))
        }
        let used = components.joined().compactMap { part in
            if case .placeholder(let name) = part { name } else { nil }
        }
        guard used.contains("name") || used.contains("uuid") else {
            throw DiscoveryPatternError(pattern: text, reason: "it must contain {name} or {uuid}")
        }
        guard Set(used).count == used.count else {
            throw DiscoveryPatternError(pattern: text, reason: "it contains a placeholder twice")
        }
        self.text = text
        self.stream = stream
        self.plainFile = plainFile
        self.plainLimits = plainLimits
        self.rate = rate
        self.components = components
        do throws(DefinitionError) {
            // Checks size, backups and rate now, rather than at the first discovered console.
            _ = try definition(at: .inherited, Dictionary(used.map { ($0, Self.sample[$0] ?? "") }) { $1 })
        } catch {
            throw DiscoveryPatternError(pattern: text, reason: "\(error)")
        }
    }

    private static func parse(_ component: Substring, in text: String) throws(DiscoveryPatternError) -> [Part] {
        var parts: [Part] = []
        var rest = component
        while let open = rest.firstIndex(of: "{") {
            guard let close = rest[open...].firstIndex(of: "}") else {
                throw DiscoveryPatternError(pattern: text, reason: "{ without }")
            }
            let name = String(rest[rest.index(after: open)..<close])
            guard sample[name] != nil else {
                throw DiscoveryPatternError(
                    pattern: text,
                    reason: "unknown placeholder {\(name)}; use {name}, {uuid} or {namespace}"
                )
            }
            if open > rest.startIndex {
                parts.append(.literal(String(rest[..<open])))
            } else if !parts.isEmpty {
                throw DiscoveryPatternError(pattern: text, reason: "two placeholders must be separated")
            }
            parts.append(.placeholder(name))
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty {
            parts.append(.literal(String(rest)))
        }
        return parts
    }

    /// The definition of the console found at `place`, whose path gave `values`.
    func definition(at place: Endpoint, _ values: [String: String]) throws(DefinitionError) -> ConsoleHub.Definition {
        for (placeholder, value) in values {
            try ConsoleHub.Definition.checkName(placeholder, value)
        }
        let uuid = values["uuid"].flatMap(VMIdentity.canonicalUUID)
        if uuid == nil, let text = values["uuid"] {
            throw DefinitionError(description: "'\(text)' at {uuid} is not a UUID")
        }
        return try ConsoleHub.Definition(
            key: StreamKey(
                name: values["name"] ?? uuid ?? "",
                uuid: uuid,
                namespace: values["namespace"],
                stream: stream
            ),
            endpoint: place,
            plainFile: plainFile.map { template in
                StreamOptions.PlainFile(
                    path: Self.fill(template, values),
                    trustedFolder: Self.literalFolder(of: template),
                    limits: plainLimits
                )
            },
            rate: rate,
            trustedFolder: trustedFolder
        )
    }

    /// The definition of a console found where `past` was; nil when this pattern does not match there.
    func definition(like past: ConsoleHub.Definition) -> ConsoleHub.Definition? {
        let names = past.endpoint.path?.utf8.split(separator: UInt8(ascii: "/")) ?? []
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
        return try? definition(at: past.endpoint, values)
    }

    /// The folder before the first placeholder of `template`.
    private static func literalFolder(of template: String) -> String {
        let literal = template.utf8.prefix { $0 != UInt8(ascii: "{") }
        return DirectoryHandle.split(String(Substring(literal))).directory
    }

    /// `template` with the placeholders replaced by `values`, once each, whatever the values contain.
    private static func fill(_ template: String, _ values: [String: String]) -> String {
        var filled = ""
        var rest = template[...]
        while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
            let placeholder = rest[rest.index(after: open)..<close]
            filled += rest[..<open] + (values[String(placeholder)] ?? "{\(placeholder)}")
            rest = rest[rest.index(after: close)...]
        }
        return filled + rest
    }

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
public struct DiscoveryPatternError: Error, Hashable, Sendable, CustomStringConvertible {
    public var pattern: String
    public var reason: String

    public var description: String { "\(pattern): \(reason)" }
}
