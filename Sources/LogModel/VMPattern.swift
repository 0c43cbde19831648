#if canImport(Glibc)
    import Glibc
#endif

/// Some of the VMs: those that any of its words names.
///
/// A word is a UUID, or a shell pattern (fnmatch(3)) such as `db-*`. VMs of a namespace are named with it, as in
/// `lab/db-*`: the same name in another namespace is another's VM, and no part of a pattern reaches over the `/`. `*` alone
/// is every VM of every namespace.
public struct VMPattern: Hashable, Sendable {
    /// The words.
    public let words: [String]

    /// Every VM, of every namespace.
    public static let all = VMPattern(["*"])

    /// Most words that somebody may give.
    public static let limit = 64
    /// Most bytes of such a word.
    public static let longestWord = 256

    /// The VMs that any of `words` names.
    public init(_ words: [String]) {
        self.words = words
    }

    /// Whether `vm` is one of them.
    public func contains(_ vm: VMIdentity) -> Bool {
        let name = (vm.namespace.map { $0 + "/" } ?? "") + vm.name
        return words.contains { word in
            word == "*" || fnmatch(word, name, FNM_PATHNAME) == 0
                || vm.uuid != nil && VMIdentity.canonicalUUID(word) == vm.uuid
        }
    }
}
