// SPDX-License-Identifier: Apache-2.0

import Glibc

extension timespec {
    /// The time since the Unix epoch in parts of a second, limited to 2^61 in either direction, so that differences fit
    /// too: any user can give a file any time.
    func count(perSecond: Int) -> Int {
        let limit = 1 << 61
        let (whole, isTooLarge) = Int(tv_sec).multipliedReportingOverflow(by: perSecond)
        guard !isTooLarge, abs(whole.clamped(to: -limit...limit)) < limit else {
            return tv_sec < 0 ? -limit : limit
        }
        return whole + Int(tv_nsec) / (1_000_000_000 / perSecond)
    }
}

extension Int {
    fileprivate func clamped(to range: ClosedRange<Int>) -> Int {
        Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
    }
}
