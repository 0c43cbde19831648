// SPDX-License-Identifier: Apache-2.0

/// A damage in the store and its consequences.
public struct Damage: Hashable, Sendable {
    /// The file or folder, relative to the store's root.
    public var path: String
    public var problem: String
    /// The positions of unreadable bytes of the log; nil when no text is known to be affected.
    public var lost: Range<UInt64>?
    /// What to do, or what will be done.
    public var remedy: String

    init(_ path: String, _ problem: String, lost: Range<UInt64>? = nil, remedy: String = Damage.restore) {
        self.path = path
        self.problem = problem
        self.lost = lost.flatMap { $0.isEmpty ? nil : $0 }
        self.remedy = remedy
    }

    static let restore = "restore the file from a backup, or leave it: the rest can be read"
    static let rewritten = "it is recreated when the VM is captured again"
    static let recovered = "it is recovered as far as possible when the VM is captured again"
}
