// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Waits until `condition` holds, checking every 2 ms; false when it does not within `seconds`.
///
/// The limit only ends a broken test: nothing is asserted about the duration.
public func eventually(within seconds: Double = 120, _ condition: () throws -> Bool) rethrows -> Bool {
    var start = timespec()
    clock_gettime(CLOCK_MONOTONIC, &start)
    while true {
        if try condition() {
            return true
        }
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let passed = Double(now.tv_sec - start.tv_sec) + Double(now.tv_nsec - start.tv_nsec) / 1e9
        if passed > seconds {
            return false
        }
        usleep(2000)
    }
}

/// `eventually` for asynchronous code, which must not block its threads.
public func awaits(within seconds: Double = 180, _ condition: () async throws -> Bool) async rethrows -> Bool {
    let clock = ContinuousClock()
    let end = clock.now + .seconds(seconds)
    while true {
        if try await condition() {
            return true
        }
        if clock.now > end {
            return false
        }
        try? await clock.sleep(for: .milliseconds(2))
    }
}
