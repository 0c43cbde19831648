// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// A kernel's clock, as the stamps of its lines show it. All values are microseconds; times are the host's.
struct KernelClock {
    /// The stamp of its latest line, and when that was received.
    var stamp: Int64
    var time: Int64

    /// How far a kernel's stamps can be out of order, or behind the host's clock.
    private static let tolerance: Int64 = 2_000_000
    /// The stamps of a kernel's several first lines lie within this time.
    private static let firstLines: Int64 = 100_000

    /// The stamp that the kernel would print at `time`.
    func expected(at time: Int64) -> Int64 { stamp + (time - self.time) }

    /// Whether a line with the stamp `next`, received at `time`, is from a kernel that started after this one.
    func isRestarted(at next: Int64, _ time: Int64) -> Bool {
        isBeyond(next) || next < expected(at: time) - Self.tolerance
    }

    /// Whether a line with the stamp `next`, received at `time`, is not from this kernel: it is ahead of the clock, also of
    /// one of which the lines were shown with a delay.
    func isAhead(_ next: Int64, _ time: Int64) -> Bool {
        next > expected(at: time) + DoubtfulBoot.consoleDelay
    }

    /// Whether its latest stamp is later than `other`, by more than stamps are out of order.
    func isBeyond(_ other: Int64) -> Bool { other < stamp - Self.tolerance }

    /// Whether the kernel was past its first lines when it is said to print one with the stamp `first`.
    func hasAdvanced(since first: Int64) -> Bool { stamp > first + Self.firstLines }
}

/// What may be the beginning of a boot, without an end or firmware before it: a reset, or old messages that are printed
/// again.
struct DoubtfulBoot {
    enum Kind: Equatable {
        /// A kernel's first line; `isEarly`: the earlier kernel has just started, and may repeat its log.
        case firstLine(isEarly: Bool)
        /// A line of which the stamp is from before those of the earlier kernel.
        case stamps
        /// A banner of firmware or of a boot loader, behind a command at a shell's prompt. It has no stamp.
        case firmware
    }

    enum Verdict {
        case confirmed, refuted, open
    }

    let kind: Kind
    /// Position of the line.
    var offset: Int
    /// Stamp and time of the line, and of the latest line after it.
    let start: KernelClock
    var latest: KernelClock
    /// The system that starts; nil for firmware.
    var system: BootBanner.System?
    /// The clock of the kernel that ran before, if its stamps were seen.
    var earlier: KernelClock?
    /// The words of the line, if it is a kernel's first.
    let words: [UInt8]
    /// Whether the line follows a command at a shell's prompt, as after `dmesg`.
    var isAtShell: Bool
    /// Whether the machine had asked for a login before the line.
    let followsLogin: Bool
    /// Whether a shell's prompt came after the line: the command that printed it has ended.
    var isAtNextCommand = false
    /// For how long the stamps have kept pace with the host's clock, pauses between lines only.
    private var inPace: Int64 = 0

    /// A console shows a kernel's lines this much later than their stamps at most: until its driver is loaded.
    static let consoleDelay: Int64 = 10_000_000
    /// Messages that are printed again come within this time.
    private static let printInterval: Int64 = 1_000_000
    /// Shorter pauses between lines tell nothing of a clock: they are also those between two reads of a fast text.
    private static let pause: Int64 = 300_000
    /// How far two clocks can differ over a pause, apart from a hundredth of it.
    private static let jitter: Int64 = 200_000
    /// How long stamps without a first line, or after a command or in a pager, have to keep pace.
    private static let enoughPace: Int64 = 2_000_000

    init(
        _ kind: Kind,
        offset: Int,
        start: KernelClock,
        system: BootBanner.System?,
        earlier: KernelClock?,
        words: [UInt8],
        isAtShell: Bool,
        followsLogin: Bool
    ) {
        (self.kind, self.offset, self.start, latest) = (kind, offset, start, start)
        (self.system, self.earlier, self.words, self.isAtShell) = (system, earlier, words, isAtShell)
        self.followsLogin = followsLogin
    }

    /// Whether a pause now confirms it: not a kernel's line after a command, and not if an early repetition may be complete.
    /// Stamps alone are confirmed by further ones only.
    var isConfirmedByPause: Bool {
        switch kind {
        case .firmware: true
        case .stamps: false
        case .firstLine(let isEarly):
            !isAtShell && !(isEarly && earlier.map { $0.stamp <= latest.stamp } ?? true)
        }
    }

    /// Whether it is confirmed when the machine asks for a login: not where a shell has returned, and not where a kernel that
    /// has just started may have repeated its log before any login.
    var isConfirmedByLogin: Bool {
        guard case .firstLine(let isEarly) = kind else {
            return false
        }
        return !isAtNextCommand && (!isEarly || followsLogin)
    }

    /// Whether an end that is announced now confirms it.
    func isConfirmedByEnd(withStamp: Bool) -> Bool { kind != .stamps && (withStamp || !isAtShell) }

    /// What a later line with `stamp`, received at `now`, shows: the clock of the new kernel, or that of the earlier one.
    /// The first line of yet another kernel shows nothing of the one before, unless that had just begun.
    mutating func verdict(on stamp: Int64, isFirstLine: Bool, at now: Int64) -> Verdict {
        guard kind != .firmware else {
            return .open
        }
        let distance = abs(stamp - start.expected(at: now))
        if let earlier {
            if abs(stamp - earlier.expected(at: now)) < distance || isFirstLine && distance > Self.consoleDelay {
                return .refuted
            }
        } else if stamp > start.expected(at: now) + Self.consoleDelay {
            return .refuted
        }
        guard kind == .stamps || isAtShell else {
            return now - start.time >= Self.printInterval ? .confirmed : .open
        }
        if kind == .stamps && isFirstLine || distance > Self.consoleDelay || latest.isBeyond(stamp) {
            return .refuted
        }
        let (passed, step) = (now - latest.time, stamp - latest.stamp)
        if passed >= Self.pause, abs(step - passed) <= Self.jitter + passed / 100 {
            inPace += passed
            // A line of which the end is not known is weighed again.
            latest = KernelClock(stamp: stamp, time: now)
        }
        return inPace >= Self.enoughPace ? .confirmed : .open
    }
}
