import Capture
import LogModel
import RotatingFile
import SystemIO

/// Where consoles are found by themselves: a path in which `{name}`, `{uuid}` and `{namespace}` stand for parts of a
/// file's or folder's name, as in `/run/vms/{name}/console.sock`.
public struct DiscoveryPattern: Hashable, Sendable {
    /// The pattern as written.
    public let text: String
    /// The stream the consoles found feed.
    public var stream: StreamName
    /// Where each one's plain file lies, with the same placeholders; nil: none.
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

        /// The literal text, or the placeholder's name.
        var text: String {
            switch self {
            case .literal(let text), .placeholder(let text): text
            }
        }
    }

    /// The placeholders, with an example of each.
    private static let sample = ["name": "web", "uuid": "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11", "namespace": "lab"]

    /// The components before the first that has a placeholder: the administrator's part of the path.
    var literal: [String] {
        components.dropLast().prefix { !$0.contains(where: \.isPlaceholder) }.map { component in
            component.map(\.text).joined()
        }
    }

    /// The folder that they lead to.
    var trustedFolder: String { "/" + literal.joined(separator: "/") }

    /// The pattern `text`, or an error that says what is wrong with it.
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
            throw DiscoveryPatternError(pattern: text, reason: "{name} or {uuid} must be in it")
        }
        guard Set(used).count == used.count else {
            throw DiscoveryPatternError(pattern: text, reason: "a placeholder stands in it twice")
        }
        self.text = text
        self.stream = stream
        self.plainFile = plainFile
        self.plainLimits = plainLimits
        self.rate = rate
        self.components = components
        do throws(DefinitionError) {
            // Whether size, backups and rate can be, the first console found would tell as well, but late.
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
                throw DiscoveryPatternError(pattern: text, reason: "a { has no }")
            }
            let name = String(rest[rest.index(after: open)..<close])
            guard sample[name] != nil else {
                throw DiscoveryPatternError(
                    pattern: text,
                    reason: "{\(name)} is no placeholder; there are {name}, {uuid} and {namespace}"
                )
            }
            if open > rest.startIndex {
                parts.append(.literal(String(rest[..<open])))
            } else if !parts.isEmpty {
                throw DiscoveryPatternError(pattern: text, reason: "two placeholders need something between them")
            }
            parts.append(.placeholder(name))
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty {
            parts.append(.literal(String(rest)))
        }
        return parts
    }

    /// The console found at `place`, whose path gave `values`.
    func definition(at place: Endpoint, _ values: [String: String]) throws(DefinitionError) -> ConsoleHub.Definition {
        for (placeholder, value) in values {
            try ConsoleHub.Definition.checkName(placeholder, value)
        }
        let uuid = values["uuid"].flatMap(VMIdentity.canonicalUUID)
        if uuid == nil, let text = values["uuid"] {
            throw DefinitionError(description: "{uuid} stands for a UUID, and '\(text)' is none")
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

    /// The console that would be found where `past` was; nil when this pattern finds none there.
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

    /// `template` with `values` in their places: each once, whatever stands in them.
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

    /// What the placeholders of `component` stand for in `name`, byte for byte, or nil when it does not match. A
    /// placeholder takes as little as it can, and never nothing; `{uuid}` takes a UUID, or, when that is not required,
    /// anything.
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

/// A pattern that cannot be used, and why.
public struct DiscoveryPatternError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The pattern.
    public var pattern: String
    /// What is wrong with it.
    public var reason: String

    public var description: String { "\(pattern): \(reason)" }
}
