// SPDX-License-Identifier: Apache-2.0

extension UInt64 {
    /// The sum, or the largest number if the sum is beyond it: for counts that come from files and peers.
    public func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, isBeyond) = addingReportingOverflow(other)
        return isBeyond ? .max : sum
    }
}
