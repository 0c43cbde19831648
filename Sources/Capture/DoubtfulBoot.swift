// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// A kernel's clock, as the stamps of its lines show it. All values are microseconds; times are the host's.
struct KernelClock {
    /// The stamp of its latest line, and when that was received.
    var stamp: Int64
    var time: Int64

    /// How far a kernel's stamps can be out of order, or behind the host's clock.
    private static let tolerance: Int64 = 2_000_000

    /// The stamp that the kernel would print at `time`.
    func expected(at time: Int64) -> Int64 { stamp + (time - self.time) }

    /// Whether a line with the stamp `next`, received at `time`, is from a kernel that started after this one.
    func isRestarted(at next: Int64, _ time: Int64) -> Bool {
        next < stamp - Self.tolerance || next < expected(at: time) - Self.tolerance
    }
}

/// A kernel's first line without an end or firmware before it: a reset, or old messages that are printed again.
struct DoubtfulBoot {
    enum Verdict {
        case confirmed, refuted, open
    }

    /// Position, time and stamp of the line.
    var place: Int
    var time: Int64
    var stamp: Int64
    var system: BootBanner.System
    /// The clock of the kernel that ran before, if its stamps were seen.
    var earlier: KernelClock?
    /// Whether the line follows a command at a shell's prompt, as after `dmesg`: a pause is no confirmation.
    var isAtShell: Bool

    /// A console shows a kernel's lines this much later than their stamps at most: until its driver is loaded.
    private static let consoleDelay: Int64 = 10_000_000
    /// Messages that are printed again come within this time.
    private static let printInterval: Int64 = 1_000_000

    /// What a later line with `stamp`, received at `now`, shows: the clock of the new kernel, or that of the earlier one.
    func verdict(on stamp: Int64, at now: Int64) -> Verdict {
        let distance = abs(stamp - (self.stamp + (now - time)))
        if let earlier {
            if abs(stamp - earlier.expected(at: now)) < distance {
                return .refuted
            }
        } else if stamp > self.stamp + (now - time) + Self.consoleDelay {
            return .refuted
        }
        return now - time >= Self.printInterval ? .confirmed : .open
    }
}
