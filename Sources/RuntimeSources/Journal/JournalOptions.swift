// SPDX-License-Identifier: Apache-2.0

/// Which journal is read, and what of it.
public struct JournalOptions: Hashable, Sendable {
    /// Where it is: one folder, or files; none: this host's, of /run/log/journal and /var/log/journal together.
    public var paths: [String] = []
    /// The entries: those that match one of the conditions, as in journalctl; none: all. Values are exact.
    public var matches: [JournalMatch] = []
    /// Whether reading begins with the oldest entry, or with what comes from now on.
    public var readsFromHead = true

    public init() {}
}

/// A condition on an entry: of each field one of its values.
public struct JournalMatch: Hashable, Sendable {
    /// Words `FIELD=VALUE`.
    public var words: [String]

    public init(_ words: [String]) {
        self.words = words
    }
}
