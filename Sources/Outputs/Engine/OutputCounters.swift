// SPDX-License-Identifier: Apache-2.0

/// What an output has done since the daemon started.
struct OutputCounters: Hashable, Sendable {
    /// Records that the destination took.
    var delivered: UInt64 = 0
    /// Of these, records that it stored elsewhere than it should, such as in a failure store.
    var diverted: UInt64 = 0
    /// Records that it dropped without telling which.
    var dropped: UInt64 = 0
    /// Records that it refused and that were set aside.
    var setAside: UInt64 = 0
    /// Requests that were sent again.
    var retries: UInt64 = 0
    /// Gaps because the store had removed text before it was delivered, and their bytes.
    var gaps: UInt64 = 0
    var gapBytes: UInt64 = 0
    /// Encoded bytes of settled batches.
    var bytes: UInt64 = 0
}
