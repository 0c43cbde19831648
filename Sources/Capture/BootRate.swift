// SPDX-License-Identifier: Apache-2.0

/// Limits the boots of one machine: a guest can print any number of banners. Times are wall-clock microseconds.
struct BootRate {
    static let mostPerMinute = 120

    private var minute: (start: Int64, boots: Int) = (0, 0)

    /// Whether a boot that begins at `time` is counted.
    mutating func admits(at time: Int64) -> Bool {
        if !(0..<60_000_000).contains(time - minute.start) {
            minute = (time, 0)
        }
        minute.boots += 1
        return minute.boots <= Self.mostPerMinute
    }
}
