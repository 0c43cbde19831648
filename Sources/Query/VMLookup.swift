// SPDX-License-Identifier: Apache-2.0

import LogModel
public import LogStore
import TextFormats

/// Finds VMs of a store by the words that `VMWord` has, and by patterns.
public enum VMLookup {
    /// The VM `word`.
    ///
    /// Of several VMs that had a name one after another it is the last; `previousInstance` selects the one before.
    public static func resolve(
        _ word: String,
        in store: Store,
        previousInstance: Bool
    ) throws(QueryError) -> Store.VM {
        try resolve(word, among: all(in: store), previousInstance)
    }

    /// The VMs `words`, in order, without duplicates: a shell pattern such as `web-*` stands for all existing VMs that
    /// match, unless it is a VM's name. With `mayMatchNone` that may be none, for now. The store is listed once.
    public static func resolve(
        _ words: [String],
        in store: Store,
        previousInstance: Bool,
        mayMatchNone: Bool = false
    ) throws(QueryError) -> [Store.VM] {
        let all = try all(in: store)
        var seen: Set<String> = []
        var found: [Store.VM] = []
        for word in words {
            let named: [Store.VM]
            if ShellPattern.isPattern(word), !isNamed(word, among: all) {
                named = try matching(word, among: all, mayMatchNone: mayMatchNone)
            } else {
                named = [try resolve(word, among: all, previousInstance)]
            }
            found += named.filter { seen.insert($0.directory).inserted }
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
        let named = matches(word, all)
        guard let first = named.first else {
            throw QueryError(.noSuchVM, unknown(word, all))
        }
        guard named.allSatisfy({ areAlike($0, first) }) else {
            let existing = named.filter { $0.ended == nil }
            throw ambiguous(word, existing.isEmpty ? named : existing)
        }
        // A folder or UUID names one VM, whose namesakes were before or after it.
        let isName =
            Bytewise(first.identity.name) == Bytewise(VMIdentity.storedName(word))
            || Bytewise(first.identity.nameWithNamespace) == Bytewise(word)
        let found = isName ? named.max { age($0) < age($1) } ?? first : first
        return previousInstance ? try before(found, among: all.filter { areAlike($0, found) }) : found
    }

    private static func matches(_ word: String, _ all: [Store.VM]) -> [Store.VM] {
        VMWord(word).matches(in: all, identity: \.identity, folder: \.directory)
    }

    /// Whether `word` is the name, the UUID or the folder of one of `vms`.
    static func isNamed(_ word: String, among vms: [Store.VM]) -> Bool { !matches(word, vms).isEmpty }

    /// The existing VMs that match the pattern `word`.
    private static func matching(
        _ word: String,
        among all: [Store.VM],
        mayMatchNone: Bool
    ) throws(QueryError) -> [Store.VM] {
        let found = all.filter { $0.ended == nil && VMPattern([word]).contains($0.identity) }
        guard !found.isEmpty || mayMatchNone else {
            throw QueryError(.noSuchVM, "no VM matches \(quoted(word)); list the VMs with 'guestlog vms'")
        }
        return found
    }

    /// Whether both had the same name in the same namespace, one after another.
    private static func areAlike(_ vm: Store.VM, _ other: Store.VM) -> Bool {
        Bytewise(vm.identity.name) == Bytewise(other.identity.name)
            && Bytewise(vm.identity.namespace) == Bytewise(other.identity.namespace)
    }

    /// The one VM `word`, for an operation on it: a name of several existing VMs is an error.
    public static func resolveExactly(_ word: String, in store: Store) throws(QueryError) -> Store.VM {
        let all = try all(in: store)
        let existing = matches(word, all).filter { $0.ended == nil }
        guard existing.count <= 1 else {
            throw ambiguous(word, existing)
        }
        return try resolve(word, among: all, false)
    }

    private static func ambiguous(_ word: String, _ vms: [Store.VM]) -> QueryError {
        let list = vms.map(description).joined(separator: ", ")
        guard vms.contains(where: { Bytewise($0.identity.name) == Bytewise(VMIdentity.storedName(word)) }) else {
            return QueryError(.ambiguousVM, "several UUIDs begin with \(quoted(word)): \(list); use more digits")
        }
        let remedy = vms.contains { $0.identity.namespace != nil } ? "NAMESPACE/NAME, the UUID" : "the UUID"
        return QueryError(.ambiguousVM, "\(quoted(word)) is ambiguous: \(list); use \(remedy) or the folder")
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

    private static func description(_ vm: Store.VM) -> String {
        let namespace = vm.identity.namespace.map { quoted($0) + "/" } ?? ""
        return namespace + quoted(vm.identity.name) + " (" + vm.directory + ")"
    }

    private static func unknown(_ word: String, _ all: [Store.VM]) -> String {
        guard !all.isEmpty else {
            return "no VM named \(quoted(word)): nothing was captured yet; is --store right?"
        }
        let names = all.flatMap { [$0.identity.name, $0.identity.nameWithNamespace] }
        let near = ShellPattern.isPattern(word) ? nil : NearestWord.to(word, among: names)
        // As a stream is written in the output of other commands; a namespace can have the name of a VM.
        if let slash = word.lastIndex(of: "/"), let stream = StreamName(String(word[word.index(after: slash)...])) {
            let vm = String(word[..<slash])
            if near?.hasPrefix(vm + "/") != true, isNamed(vm, among: all) {
                return "no VM named \(quoted(word)); name a stream with -s: \(quoted(vm)) -s \(stream)"
            }
        }
        let hint = near.map { "did you mean \(quoted($0))?" } ?? remedy(forUnknown: word)
        return "no VM named \(quoted(word)); \(hint)"
    }

    /// What to do where one VM is needed, and none is named `word`.
    public static func remedy(forUnknown word: String) -> String {
        ShellPattern.isPattern(word)
            ? "name one VM, not a pattern; \"guestlog vms '\(quoted(word))'\" lists them"
            : "list the VMs with 'guestlog vms'"
    }

    /// A name made safe for a message, and visible when it is empty: names may come from untrusted sources.
    static func quoted(_ name: String) -> String {
        name.isEmpty
            ? "''"
            : String(
                name.unicodeScalars.prefix(100).map { $0.isTerminalHazard ? "\u{fffd}" : Character($0) }
            )
    }
}
