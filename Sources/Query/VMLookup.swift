// SPDX-License-Identifier: Apache-2.0

import LogModel
public import LogStore
import TextFormats

/// Finds a VM by name, UUID or folder.
public enum VMLookup {
    /// Fewer characters of a UUID are more likely a typing error.
    static let shortestPrefix = 4

    /// The VM `word`: a name, a UUID or the beginning of one, a folder.
    ///
    /// Of several VMs that had a name one after another it is the last; `previousInstance` selects the one before.
    public static func resolve(
        _ word: String,
        in store: Store,
        previousInstance: Bool
    ) throws(QueryError) -> Store.VM {
        try resolve(word, among: all(in: store), previousInstance)
    }

    /// The VMs `words`, in order, without duplicates. The store is listed once.
    public static func resolve(
        _ words: [String],
        in store: Store,
        previousInstance: Bool
    ) throws(QueryError) -> [Store.VM] {
        let all = try all(in: store)
        var seen: Set<String> = []
        var found: [Store.VM] = []
        for word in words {
            let vm = try resolve(word, among: all, previousInstance)
            if seen.insert(vm.directory).inserted {
                found.append(vm)
            }
        }
        return found
    }

    private static func all(in store: Store) throws(QueryError) -> [Store.VM] {
        do {
            return try store.vms()
        } catch {
            throw QueryError(.noSuchVM, "the store cannot be read: \(error); is --store right?")
        }
    }

    private static func resolve(
        _ word: String,
        among all: [Store.VM],
        _ previousInstance: Bool
    ) throws(QueryError) -> Store.VM {
        let named = all.filter { Bytewise($0.identity.name) == Bytewise(word) }
        if !named.isEmpty {
            return try instance(of: named, word, previousInstance)
        }
        var match = byFolder(word, all)
        if match == nil {
            match = try byUUID(word, all)
        }
        guard let found = match else {
            throw QueryError(.noSuchVM, unknown(word, all))
        }
        guard previousInstance else {
            return found
        }
        let alike = all.filter {
            Bytewise($0.identity.name) == Bytewise(found.identity.name)
                && Bytewise($0.identity.namespace) == Bytewise(found.identity.namespace)
        }
        return try before(found, among: alike)
    }

    /// The one VM `word`, for an operation on it: a name of several existing VMs is an error.
    public static func resolveExactly(_ word: String, in store: Store) throws(QueryError) -> Store.VM {
        let found = try resolve(word, in: store, previousInstance: false)
        let all = (try? store.vms()) ?? []
        let alike = all.filter { Bytewise($0.identity.name) == Bytewise(word) && $0.ended == nil }
        guard alike.count <= 1 else {
            throw ambiguous(word, alike)
        }
        return found
    }

    private static func ambiguous(_ word: String, _ vms: [Store.VM]) -> QueryError {
        let list = vms.map(description).joined(separator: ", ")
        return QueryError(.ambiguousVM, "\(quoted(word)) is ambiguous: \(list); use the UUID or the folder")
    }

    private static func instance(
        of named: [Store.VM],
        _ word: String,
        _ previousInstance: Bool
    ) throws(QueryError) -> Store.VM {
        // The same name in two namespaces means two VMs.
        let places = Set(named.map { Bytewise($0.identity.namespace) })
        guard places.count == 1 else {
            throw ambiguous(word, named.filter { $0.ended == nil })
        }
        let newest = named.max { age($0) < age($1) }
        guard previousInstance, let newest else {
            return newest ?? named[0]
        }
        return try before(newest, among: named)
    }

    private static func before(_ vm: Store.VM, among alike: [Store.VM]) throws(QueryError) -> Store.VM {
        guard let earlier = alike.filter({ age($0) < age(vm) }).max(by: { age($0) < age($1) }) else {
            throw QueryError(.noSuchVM, "there is no earlier VM named \(quoted(vm.identity.name))")
        }
        return earlier
    }

    /// Existing VMs come after deleted ones, then by their time of creation.
    private static func age(_ vm: Store.VM) -> (Int, Timestamp, Int, String) {
        (vm.ended == nil ? 1 : 0, vm.created, vm.identity.instance, vm.directory)
    }

    private static func byFolder(_ word: String, _ all: [Store.VM]) -> Store.VM? {
        all.first { $0.directory == word }
    }

    private static func byUUID(_ word: String, _ all: [Store.VM]) throws(QueryError) -> Store.VM? {
        if let uuid = VMIdentity.canonicalUUID(word) {
            return all.first { $0.identity.uuid == uuid }
        }
        guard word.utf8.count >= shortestPrefix else {
            return nil
        }
        let prefix = word.lowercased()
        let found = all.filter { $0.identity.uuid?.hasPrefix(prefix) ?? false }
        guard found.count <= 1 else {
            let list = found.map(description).joined(separator: ", ")
            throw QueryError(.ambiguousVM, "several UUIDs begin with \(quoted(word)): \(list); use more digits")
        }
        return found.first
    }

    private static func description(_ vm: Store.VM) -> String {
        let namespace = vm.identity.namespace.map { quoted($0) + "/" } ?? ""
        return namespace + quoted(vm.identity.name) + " (" + vm.directory + ")"
    }

    private static func unknown(_ word: String, _ all: [Store.VM]) -> String {
        guard !all.isEmpty else {
            return "no VM named \(quoted(word)): nothing was captured yet; is --store right?"
        }
        let near = NearestWord.to(word, among: all.map(\.identity.name))
        let hint = near.map { "did you mean \(quoted($0))?" } ?? "list the VMs with 'guestlog vms'"
        return "no VM named \(quoted(word)); \(hint)"
    }

    /// A name made safe for a message: names may come from untrusted sources.
    static func quoted(_ name: String) -> String {
        String(
            name.unicodeScalars.prefix(100).map { $0.isTerminalHazard ? "\u{fffd}" : Character($0) }
        )
    }
}
