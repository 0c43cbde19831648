// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

/// A set of VMs: those that match any of its words. It is the only language of patterns of VMs: of tokens, outputs, limits,
/// character sets and commands.
///
/// A word is a UUID, or a shell pattern (fnmatch(3)) such as `db-*`. VMs of a namespace are matched with it, as in
/// `lab/db-*`: the same name in another namespace is another VM, and no part of a pattern matches across the `/`. `*`
/// alone matches every VM of every namespace.
public struct VMPattern: Hashable, Sendable, CustomStringConvertible {
    public let words: [String]

    /// Every VM, of every namespace.
    public static let all = VMPattern(["*"])

    /// Maximum number of words in a token or request.
    public static let limit = 64
    /// Maximum size of such a word, in bytes.
    public static let longestWord = 256

    public init(_ words: [String]) {
        self.words = words
    }

    public var description: String { words.joined(separator: ", ") }

    /// Whether a VM can match `word`: not one that is empty, or has more than the one `/` behind a namespace.
    public static func canMatch(_ word: String) -> Bool {
        let parts = word.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count <= 2 && !parts.contains("")
    }

    public func contains(_ vm: VMIdentity) -> Bool {
        words.contains { word in
            word == "*" || fnmatch(word, vm.nameWithNamespace, FNM_PATHNAME) == 0
                || vm.uuid != nil && VMIdentity.canonicalUUID(word) == vm.uuid
        }
    }
}
