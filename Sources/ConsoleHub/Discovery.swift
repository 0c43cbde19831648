import Capture
import CLinux
import Glibc
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
    }

    static let placeholders = ["name", "uuid", "namespace"]

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
        for component in text.split(separator: "/") {
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
    }

    private static func parse(_ component: Substring, in text: String) throws(DiscoveryPatternError) -> [Part] {
        var parts: [Part] = []
        var rest = component
        while let open = rest.firstIndex(of: "{") {
            guard let close = rest[open...].firstIndex(of: "}") else {
                throw DiscoveryPatternError(pattern: text, reason: "a { has no }")
            }
            let name = String(rest[rest.index(after: open)..<close])
            guard placeholders.contains(name) else {
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

    /// What the placeholders of `component` stand for in `name`, or nil when it does not match. A placeholder takes as
    /// little as it can, and never nothing.
    static func match(_ component: [Part], _ name: Substring) -> [String: String]? {
        guard let first = component.first else {
            return name.isEmpty ? [:] : nil
        }
        switch first {
        case .literal(let literal):
            guard name.hasPrefix(literal) else {
                return nil
            }
            return match(Array(component.dropFirst()), name.dropFirst(literal.count))
        case .placeholder(let placeholder):
            guard component.count > 1 else {
                return name.isEmpty ? nil : [placeholder: String(name)]
            }
            for end in name.indices.dropFirst() {
                if var found = match(Array(component.dropFirst()), name[end...]) {
                    found[placeholder] = String(name[..<end])
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

/// Watches folders for consoles. Lives on the hub's control thread.
final class Discovery: EventHandler, @unchecked Sendable {
    // Sendable because it is touched on the control thread alone, after its callbacks were set.

    private let loop: EventLoop
    private let diagnostics: Diagnostics
    private let watch: DirectoryWatch
    private var token: EventLoop.Token?
    private var patterns: [DiscoveryPattern] = []
    private var folders: [Int32: String] = [:]
    private var byPath: [String: Int32] = [:]
    /// Folders watched for an endpoint's sake.
    private var wanted: Set<String> = []

    /// A console's place was found.
    var onFound: (ConsoleHub.Definition) -> Void = { _ in }
    /// A path has appeared, changed or gone.
    var onChanged: (String) -> Void = { _ in }

    init(loop: EventLoop, diagnostics: Diagnostics) throws(SystemError) {
        self.loop = loop
        self.diagnostics = diagnostics
        watch = try DirectoryWatch()
        token = try loop.add(watch.descriptor, for: .readable, self)
    }

    func setPatterns(_ patterns: [DiscoveryPattern]) {
        self.patterns = patterns
    }

    /// Looks through everything there is.
    func begin() {
        for pattern in patterns {
            look(in: "", pattern, level: 0, values: [:])
        }
    }

    /// Watches the folder of an endpoint that was named by hand.
    func watchFolder(of path: String) {
        let folder = Self.folder(of: path)
        wanted.insert(folder)
        watchFolder(folder)
        onChanged(path)
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            return "/"
        }
        return String(path[..<slash])
    }

    /// Watches `folder`, or the nearest folder above it that is there.
    private func watchFolder(_ folder: String) {
        var path = folder
        while byPath[path] == nil {
            do throws(SystemError) {
                let number = try watch.add(path, mask: DirectoryWatch.entries)
                folders[number] = path
                byPath[path] = number
            } catch {
                guard error.code == ENOENT, path != "/" else {
                    diagnostics.say(.warning, "cannot watch for consoles: \(error)")
                    return
                }
                path = Self.folder(of: path)
            }
        }
    }

    func handle(_ readiness: Readiness) {
        var needsLook = false
        for event in watch.drain() {
            if event.isOverflow {
                needsLook = true
                continue
            }
            guard let folder = folders[event.watch] else {
                continue
            }
            if event.mask & UInt32(IN_IGNORED) != 0 {
                folders[event.watch] = nil
                byPath[folder] = nil
                needsLook = true
                continue
            }
            let path = folder == "/" ? "/" + event.name : folder + "/" + event.name
            onChanged(path)
            needsLook = true
        }
        if needsLook {
            for folder in wanted {
                watchFolder(folder)
            }
            begin()
        }
    }

    private func look(in folder: String, _ pattern: DiscoveryPattern, level: Int, values: [String: String]) {
        let component = pattern.components[level]
        let isLast = level == pattern.components.count - 1
        if component.count == 1, case .literal(let name) = component[0] {
            let path = folder + "/" + name
            if isLast {
                found(path, pattern, values)
                watchFolder(folder.isEmpty ? "/" : folder)
            } else {
                var status = stat()
                if stat(path, &status) != 0 {
                    watchFolder(path)
                } else {
                    look(in: path, pattern, level: level + 1, values: values)
                }
            }
            return
        }
        watchFolder(folder.isEmpty ? "/" : folder)
        guard let stream = opendir(folder.isEmpty ? "/" : folder) else {
            return
        }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != "..", let more = DiscoveryPattern.match(component, name[...]) else {
                continue
            }
            let path = folder + "/" + name
            let all = values.merging(more) { _, new in new }
            if isLast {
                found(path, pattern, all)
            } else {
                look(in: path, pattern, level: level + 1, values: all)
            }
        }
    }

    private func found(_ path: String, _ pattern: DiscoveryPattern, _ values: [String: String]) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            return
        }
        let endpoint: Endpoint
        switch status.st_mode & S_IFMT {
        case S_IFSOCK: endpoint = .connect(path: path)
        case S_IFIFO: endpoint = .fifo(path: path)
        case S_IFCHR: endpoint = .terminal(path: path)
        default: return
        }
        let uuid = values["uuid"].flatMap(VMIdentity.canonicalUUID)
        guard let name = values["name"] ?? uuid ?? values["uuid"] else {
            return
        }
        let key = StreamKey(name: name, uuid: uuid, namespace: values["namespace"], stream: pattern.stream)
        var plain: StreamOptions.PlainFile?
        if let template = pattern.plainFile {
            let path = values.reduce(template) { $0.replacing("{\($1.key)}", with: $1.value) }
            plain = StreamOptions.PlainFile(path: path, limits: pattern.plainLimits)
        }
        onFound(ConsoleHub.Definition(key: key, endpoint: endpoint, plainFile: plain, rate: pattern.rate))
    }
}
