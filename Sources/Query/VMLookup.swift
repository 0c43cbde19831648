import LogModel
public import LogStore
import TextFormats

/// Finds the VM that somebody means.
public enum VMLookup {
    /// Fewer characters of a UUID are more likely a slip than a choice.
    static let shortestPrefix = 4

    /// The VM that `word` names: a name, a UUID or the beginning of one, a folder.
    ///
    /// Of several that had a name one after another it is the last; `previousInstance` asks for the one before.
    public static func resolve(
        _ word: String,
        in store: Store,
        previousInstance: Bool
    ) throws(QueryError) -> Store.VM {
        try resolve(word, among: all(in: store), previousInstance)
    }

    /// The VMs that `words` name, in their order, each once. The store is listed once.
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

    /// The one VM that `word` names, to do something to it: when several that exist have the name, none is guessed.
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
        return QueryError(.ambiguousVM, "\(quoted(word)) could be several VMs: \(list); name one by UUID or folder")
    }

    private static func instance(
        of named: [Store.VM],
        _ word: String,
        _ previousInstance: Bool
    ) throws(QueryError) -> Store.VM {
        // The same name in two namespaces is two VMs.
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
            throw QueryError(.noSuchVM, "there was no earlier VM named \(quoted(vm.identity.name))")
        }
        return earlier
    }

    /// Those that exist come after those deleted, then by when they were made.
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
            throw QueryError(.ambiguousVM, "several UUIDs begin with \(quoted(word)): \(list); write more of it")
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
        let hint = near.map { "did you mean \(quoted($0))?" } ?? "'guestlog vms' lists those there are"
        return "no VM named \(quoted(word)); \(hint)"
    }

    /// A name as it can stand in a message: names come from the outside.
    static func quoted(_ name: String) -> String {
        String(
            name.unicodeScalars.prefix(100).map { $0.isTerminalHazard ? "\u{fffd}" : Character($0) }
        )
    }
}
