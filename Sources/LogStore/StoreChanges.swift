// SPDX-License-Identifier: Apache-2.0

import LogModel

/// What in the store may have changed.
public enum StoreChanges: Hashable, Sendable {
    /// There may be more in these streams.
    case streams(Set<StreamID>)
    /// Anything may have changed: VMs and streams may have appeared, or were deleted.
    case anything

    public static let nothing = StoreChanges.streams([])

    /// These changes and `others`.
    public func union(_ others: StoreChanges) -> StoreChanges {
        switch (self, others) {
        case (.streams(let own), .streams(let more)): .streams(own.union(more))
        default: .anything
        }
    }
}
