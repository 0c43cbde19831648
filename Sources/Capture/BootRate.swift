// SPDX-License-Identifier: Apache-2.0

/// Limits the boots of one machine: a guest can print any number of banners. Times are wall-clock microseconds.
struct BootRate {
    /// Beginnings within so many microseconds are one: no machine is faster, but a log that is printed is.
    private static let shortest: Int64 = 100_000
    static let mostPerMinute = 120

    private var last: Int64?
    private var minute: (start: Int64, boots: Int) = (0, 0)

    /// Whether a boot that begins at `time` is counted.
    mutating func admits(at time: Int64) -> Bool {
        if let last, (0..<Self.shortest).contains(time - last) {
            return false
        }
        last = time
        if !(0..<60_000_000).contains(time - minute.start) {
            minute = (time, 0)
        }
        minute.boots += 1
        return minute.boots <= Self.mostPerMinute
    }
}
