/// Something in the store that is damaged, and what it means.
public struct Damage: Hashable, Sendable {
    /// The file or folder, from the store's root.
    public var path: String
    /// What is wrong with it.
    public var problem: String
    /// The positions of the log's bytes that cannot be read for it; nil when no text is known to be affected.
    public var lost: Range<UInt64>?
    /// What to do, or what will be done.
    public var remedy: String

    /// Damage to the file at `path`, for which the bytes `lost` cannot be read.
    init(_ path: String, _ problem: String, lost: Range<UInt64>? = nil, remedy: String = Damage.restore) {
        self.path = path
        self.problem = problem
        self.lost = lost.flatMap { $0.isEmpty ? nil : $0 }
        self.remedy = remedy
    }

    static let restore = "restore the file from a backup, or leave it: what else there is can be read"
    static let rewritten = "it is written anew when the VM is captured again"
    static let recovered = "what can be kept of it is kept when the VM is captured again"
}
