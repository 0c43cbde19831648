// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import Yams

/// kubectl's configuration (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/): one or
/// several files, of which the first that names a cluster, a user or a context decides about it.
struct Kubeconfig: Sendable {
    /// An entry, and the folder that its relative paths start from.
    struct Entry: Sendable {
        let value: JSON
        let folder: String
    }

    private(set) var clusters: [String: Entry] = [:]
    private(set) var users: [String: Entry] = [:]
    private(set) var contexts: [String: Entry] = [:]
    private(set) var currentContext: String?
    /// The files that were read, for messages.
    let files: [String]

    /// The files to read: `named` (`--kubeconfig`), else those of `KUBECONFIG`, separated by colons, else
    /// `~/.kube/config`; in the latter two cases those that exist.
    static func files(named: String?) -> [String] {
        if let named {
            return [named]
        }
        let home = Environment["HOME"] ?? "/"
        let listed = Environment["KUBECONFIG"]?.split(separator: ":").map(String.init)
        let candidates = listed ?? [home + "/.kube/config"]
        return candidates.filter { access($0, F_OK) == 0 }
    }

    /// Reads `files`. Throws when one of them cannot be read or is no such configuration.
    init(files: [String]) throws(KubernetesError) {
        self.files = files
        for file in files {
            try read(file)
        }
    }

    private mutating func read(_ file: String) throws(KubernetesError) {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try Self.contents(of: file)
        } catch {
            throw KubernetesError("\(file) cannot be read: \(error.reason)")
        }
        try add(String(decoding: bytes, as: UTF8.self), file: file)
    }

    /// Adds the configuration `text`, which is from `file`.
    mutating func add(_ text: String, file: String) throws(KubernetesError) {
        let root: JSON
        do {
            // As kubectl: without a byte order mark, and the first of several documents.
            let text = text.hasPrefix("\u{feff}") ? String(text.unicodeScalars.dropFirst()) : text
            var documents = try Yams.compose_all(yaml: text)
            root = JSON(documents.next())
            if let error = documents.error {
                throw error
            }
        } catch {
            throw KubernetesError("\(file) is not YAML: \(error)")
        }
        if case .string? = Optional(root) {
            throw KubernetesError("\(file) is not a kubectl configuration: it is not a mapping")
        }
        let folder = DirectoryHandle.split(file).directory
        currentContext = currentContext ?? root["current-context"]?.text.flatMap { $0.isEmpty ? nil : $0 }
        Self.add(root["clusters"], "cluster", folder, to: &clusters)
        Self.add(root["users"], "user", folder, to: &users)
        Self.add(root["contexts"], "context", folder, to: &contexts)
    }

    private static func add(_ list: JSON?, _ member: String, _ folder: String, to entries: inout [String: Entry]) {
        for element in list?.elements ?? [] {
            guard let name = element["name"]?.text, entries[name] == nil else {
                continue
            }
            entries[name] = Entry(value: element[member] ?? .object([]), folder: folder)
        }
    }

    /// The contents of a file. Configurations are often links.
    static func contents(of path: String) throws(SystemError) -> [UInt8] {
        let file = Descriptor(owning: try systemCall("open", path) { open(path, O_RDONLY | O_CLOEXEC) })
        return try file.readToEnd(limit: LinuxFileSystem.smallFileLimit)
    }
}

extension JSON {
    /// The YAML in `node`, all scalars as strings.
    init(_ node: Node?) {
        switch node {
        case .mapping(let mapping)?:
            self = .object(mapping.map { ($0.key.string ?? "", JSON($0.value)) })
        case .sequence(let sequence)?:
            self = .array(sequence.map { JSON($0) })
        case .scalar(let scalar)?:
            let isNull = scalar.style == .plain && ["", "~", "null"].contains(scalar.string)
            self = isNull ? .null : .string(scalar.string)
        default:
            self = .object([])
        }
    }
}
