// SPDX-License-Identifier: Apache-2.0

/// The limits of one VM's log.
public struct Quota: Hashable, Sendable {
    /// Bytes on disk of all the VM's streams together.
    public var bytes: Int
    /// Maximum age of an entry in microseconds; nil: none.
    public var age: Int64?

    /// 100 MiB of any age: about 500 MiB of text, what docker keeps of a container by default.
    public static let `default` = Quota(bytes: 100 << 20, age: nil)

    /// Text in one pair of a fast stream: a 32nd of the quota, because the newest pair is never evicted.
    public var pairTarget: Int { max(StoreLimits.blockTarget, min(StoreLimits.pairTarget, bytes / 32)) }

    public init(bytes: Int, age: Int64? = nil) {
        self.bytes = bytes
        self.age = age
    }
}
