// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// The processor time, in seconds, that the calling thread needs for `body`: other tests do not add to it.
public func processorTime(_ body: () throws -> Void) rethrows -> Double {
    let start = SystemClock.threadNanoseconds()
    try body()
    return Double(SystemClock.threadNanoseconds() - start) / 1e9
}
