// SPDX-License-Identifier: Apache-2.0

import TextFormats
import Yams

/// Reads typed values from a YAML mapping whose keys must all be known. Errors name file, line and key: they are thrown, or
/// collected where `ConfigurationErrors` are given, and the value counts as absent.
struct ConfigurationReader {
    let file: String
    let mapping: Node.Mapping
    private let path: String
    private let line: Int
    private let errors: ConfigurationErrors?
    /// The number of errors before this section's.
    private let errorsBefore: Int

    /// Parses the document `text`; an empty one is an empty mapping.
    init(file: String, text: String, collecting errors: ConfigurationErrors? = nil) throws(ConfigurationError) {
        self.file = file
        self.errors = errors
        errorsBefore = 0
        path = ""
        line = 1
        let node: Node?
        do {
            // Editors on Windows write a byte order mark.
            node = try Yams.compose(yaml: text.hasPrefix("\u{feff}") ? String(text.unicodeScalars.dropFirst()) : text)
        } catch let error as YamlError {
            throw ConfigurationError(file: file, text: text, error)
        } catch {
            throw ConfigurationError(file: file, line: nil, message: "is not YAML: \(error)")
        }
        switch node {
        case nil: mapping = Node.Mapping([])
        case .mapping(let mapping): self.mapping = mapping
        case .scalar(let scalar) where scalar.string.isEmpty: mapping = Node.Mapping([])
        default: throw ConfigurationError(file: file, line: 1, message: "must be a mapping of keys to values")
        }
    }

    /// The section `path` of the same file.
    private init(_ reader: ConfigurationReader, mapping: Node.Mapping, path: String, line: Int) {
        file = reader.file
        errors = reader.errors
        errorsBefore = errors?.all.count ?? 0
        self.mapping = mapping
        self.path = path
        self.line = line
    }

    /// Collects an error, or throws it.
    func fail(_ error: ConfigurationError) throws(ConfigurationError) {
        guard let errors else {
            throw error
        }
        errors.add(error)
    }

    /// `value`, when the error was collected.
    func fail<Value>(_ error: ConfigurationError, _ value: Value) throws(ConfigurationError) -> Value {
        try fail(error)
        return value
    }

    /// The errors of this section that were collected.
    private var ownErrors: ArraySlice<ConfigurationError> { errors?.all.dropFirst(errorsBefore) ?? [] }
    var hasErrors: Bool { !ownErrors.isEmpty }
    func hasError(about key: String) -> Bool { ownErrors.contains { $0.key == name(of: key) } }

    /// The result of `read`; `fallback` when its error was collected.
    func attempt<Value>(
        _ fallback: Value,
        _ read: (ConfigurationReader) throws(ConfigurationError) -> Value
    ) throws(ConfigurationError) -> Value {
        let section = ConfigurationReader(self, mapping: mapping, path: path, line: line)
        do throws(ConfigurationError) {
            return try read(section)
        } catch {
            // What is missing in a section, or wrong in a line, that has another error may be missing because of that one.
            if !section.ownErrors.contains(where: { error.line == line || error.line == $0.line }) {
                try fail(error)
            }
            return fallback
        }
    }

    func error(_ node: Node?, _ message: String) -> ConfigurationError {
        ConfigurationError(file: file, line: node?.mark?.line ?? line, message: message)
    }

    /// The keys that are given, in the order of the file.
    var keys: [String] { mapping.compactMap(\.key.string) }

    /// The key with the sections that it is in, such as `collector.guests[0].cid`.
    func name(of key: String) -> String { path + key }

    private func node(_ key: String) -> Node? {
        mapping.first { $0.key.string == key }?.value
    }

    /// Whether the key is present with a value other than null.
    func has(_ key: String) -> Bool {
        guard let node = node(key) else {
            return false
        }
        guard let scalar = node.scalar, scalar.style != .doubleQuoted, scalar.style != .singleQuoted else {
            return true
        }
        // Null as YAML writes it (YAML 1.2.2, section 10.3.2).
        return !["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// Whether the key is present, with or without a value.
    func contains(_ key: String) -> Bool { node(key) != nil }

    func text(_ key: String) throws(ConfigurationError) -> String? {
        guard has(key), let node = node(key) else {
            return nil
        }
        guard let text = node.scalar?.string else {
            return try fail(error(at: key, "\(path)\(key) must be text"), nil)
        }
        return text
    }

    /// A list of texts; nil when it is absent.
    func texts(_ key: String) throws(ConfigurationError) -> [String]? {
        guard has(key), let node = node(key) else {
            return nil
        }
        var texts: [String] = []
        for element in node.sequence ?? [] {
            guard let text = element.scalar?.string else {
                return try fail(error(element, "\(path)\(key) must be a list of texts"), nil)
            }
            texts.append(text)
        }
        guard node.sequence != nil else {
            return try fail(error(at: key, "\(path)\(key) must be a list"), nil)
        }
        return texts
    }

    /// Texts by VM name pattern, in the order of the file: a mapping of patterns to texts, or one text for all VMs.
    func textsByPattern(_ key: String) throws(ConfigurationError) -> [(vms: String, text: String)] {
        guard has(key), let node = node(key) else {
            return []
        }
        guard let mapping = node.mapping else {
            return try text(key).map { [("*", $0)] } ?? []
        }
        var texts: [(vms: String, text: String)] = []
        for (pattern, value) in mapping {
            guard let vms = pattern.string, let text = value.scalar?.string else {
                let message = "\(path)\(key) must be a text, or a mapping of VM name patterns to texts"
                return try fail(error(value, message), [])
            }
            texts.append((vms, text))
        }
        return texts
    }

    /// A mapping of names to texts, in the order of the file; empty when it is absent.
    func pairs(_ key: String) throws(ConfigurationError) -> [(name: String, text: String)] {
        guard has(key), let node = node(key) else {
            return []
        }
        guard let mapping = node.mapping else {
            return try fail(error(at: key, "\(path)\(key) must be a mapping of names to texts"), [])
        }
        var pairs: [(name: String, text: String)] = []
        for (name, value) in mapping {
            guard let name = name.string, let text = value.scalar?.string else {
                return try fail(error(value, "\(path)\(key) must be a mapping of names to texts"), [])
            }
            pairs.append((name, text))
        }
        return pairs
    }

    func integer(_ key: String) throws(ConfigurationError) -> Int? {
        guard let text = try text(key) else {
            return nil
        }
        guard let value = Int(text), value >= 0 else {
            return try fail(error(at: key, "\(path)\(key): \(text) is not a whole number"), nil)
        }
        return value
    }

    /// `true` or `false`.
    func flag(_ key: String) throws(ConfigurationError) -> Bool? {
        guard let text = try text(key) else {
            return nil
        }
        guard let value = Bool(text) else {
            return try fail(error(at: key, "\(path)\(key): \(text) is neither true nor false"), nil)
        }
        return value
    }

    /// An absolute path.
    func absolutePath(_ key: String) throws(ConfigurationError) -> String? {
        guard let text = try text(key) else {
            return nil
        }
        guard text.hasPrefix("/") else {
            return try fail(error(at: key, "\(path)\(key): '\(text)' must be a path that begins with /"), nil)
        }
        return text
    }

    /// Bytes, such as `500M` or `10GiB`, at least `minimum`.
    func size(_ key: String, atLeast minimum: Int = 0) throws(ConfigurationError) -> Int? {
        guard let text = try text(key) else {
            return nil
        }
        let size: Int
        do {
            size = Int(clamping: try Quantities.parseSize(text))
        } catch {
            return try fail(self.error(at: key, "\(path)\(key): \(error)"), nil)
        }
        guard size >= minimum else {
            let message = "\(path)\(key): \(text) is too small: at least \(Quantities.size(minimum))"
            return try fail(error(at: key, message), nil)
        }
        return size
    }

    /// Microseconds, from a duration such as `7d` or `12h`, more than 0.
    func duration(_ key: String) throws(ConfigurationError) -> Int64? {
        guard let text = try text(key) else {
            return nil
        }
        let microseconds: Int64
        do {
            microseconds = try Quantities.parseDuration(text).wholeMicroseconds
        } catch {
            return try fail(self.error(at: key, "\(path)\(key): \(error)"), nil)
        }
        guard microseconds > 0 else {
            return try fail(error(at: key, "\(path)\(key): \(text) must be more than 0"), nil)
        }
        return microseconds
    }

    /// A nested mapping; empty when it is absent.
    func section(_ key: String) throws(ConfigurationError) -> ConfigurationReader {
        let given = has(key) ? node(key) : nil
        if let given, given.mapping == nil {
            try fail(error(at: key, "\(path)\(key) must be a mapping"))
        }
        let (mapping, line) = (given?.mapping ?? Node.Mapping([]), given?.mark?.line ?? line)
        return ConfigurationReader(self, mapping: mapping, path: path + key + ".", line: line)
    }

    /// A list of mappings; empty when it is absent.
    func list(_ key: String) throws(ConfigurationError) -> [ConfigurationReader] {
        guard has(key), let node = node(key) else {
            return []
        }
        guard let sequence = node.sequence else {
            return try fail(error(at: key, "\(path)\(key) must be a list"), [])
        }
        var sections: [ConfigurationReader] = []
        for (index, element) in sequence.enumerated() {
            guard let inner = element.mapping else {
                try fail(error(element, "\(path)\(key)[\(index)] must be a mapping"))
                continue
            }
            sections.append(
                ConfigurationReader(
                    self,
                    mapping: inner,
                    path: "\(path)\(key)[\(index)].",
                    line: element.mark?.line ?? line
                )
            )
        }
        return sections
    }

    /// A mapping of names to a text, or to several; empty when it is absent.
    func mapping(_ key: String) throws(ConfigurationError) -> [(name: String, values: [String])] {
        guard has(key), let node = node(key) else {
            return []
        }
        guard let mapping = node.mapping else {
            return try fail(error(at: key, "\(path)\(key) must be a mapping of names to texts"), [])
        }
        return try texts(mapping, key)
    }

    /// A list of such mappings, or a single one; empty when it is absent.
    func mappings(_ key: String) throws(ConfigurationError) -> [[(name: String, values: [String])]] {
        guard has(key), let node = node(key) else {
            return []
        }
        guard let sequence = node.sequence else {
            return [try mapping(key)]
        }
        var all: [[(name: String, values: [String])]] = []
        for element in sequence {
            guard let mapping = element.mapping else {
                return try fail(error(element, "\(path)\(key) must be a list of mappings of names to texts"), [])
            }
            all.append(try texts(mapping, key))
        }
        return all
    }

    private func texts(
        _ mapping: Node.Mapping,
        _ key: String
    ) throws(ConfigurationError) -> [(name: String, values: [String])] {
        var texts: [(name: String, values: [String])] = []
        for (name, value) in mapping {
            let values = value.sequence?.map { $0.scalar?.string } ?? [value.scalar?.string]
            guard let name = name.string, !values.isEmpty, !values.contains(nil) else {
                try fail(error(value, "\(path)\(key): \(name.string ?? "") must be a text or a list of texts"))
                continue
            }
            texts.append((name, values.compactMap { $0 }))
        }
        return texts
    }

    /// An error about the value of `key`, or about the mapping when `key` is nil.
    func error(at key: String?, _ message: String) -> ConfigurationError {
        var error = error(key.flatMap(node), message)
        error.key = key.map(name)
        return error
    }
}
