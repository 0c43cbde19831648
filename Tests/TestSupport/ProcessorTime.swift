// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The processor time, in seconds, that the calling thread needs for `body`: other tests do not add to it.
public func processorTime(_ body: () throws -> Void) rethrows -> Double {
    func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let start = now()
    try body()
    return now() - start
}
