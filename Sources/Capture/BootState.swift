// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// The boots of one machine: a state machine that is given what the transport and the console's lines show, in order,
/// and finds where boots begin and end.
///
/// The transport comes first: opening a console is a boot. On a live console a boot begins
/// - after an announced end (panic, restart, power-off, kexec): with firmware, a kernel, a kernel's clock that starts
///   anew, or, after a pause, with any words;
/// - without an announced end: with firmware or a boot loader after a kernel, however soon, or with a kernel's first
///   line. The banners of firmware and loaders before the kernel belong to one start, unless the first of them is
///   repeated: the machine is reset before it reaches a kernel.
///
/// A kernel's first line without an end or firmware before it may also be `dmesg` or a file that is printed. It is
/// reported as doubtful, and as a boot once the kernel's clock or a pause after it confirms that. So are stamps that begin
/// anew near 0 after a pause, without a first line, as of a quiet kernel: only their pace confirms them. So are the banners
/// of firmware and loaders behind a command: a kernel or a pause after them confirms them, a shell's prompt refutes them.
///
/// A kernel that prints nothing is known to run by the prompt of its system. A prompt for a login, at which the console
/// pauses, confirms a kernel's doubtful first line, unless a shell's prompt came before.
///
/// A panic that a program prints is not an end: one without a stamp where the kernel's lines have stamps, and one that is
/// followed by a prompt without a pause. In what a command prints at once, no boot begins: no machine is so fast.
///
/// The marker of an end follows the last words of the boot: it is placed where the next boot begins, where the transport
/// shows an end, or at the first pause. Times are wall-clock microseconds, positions are bytes since the detector began.
struct BootState {
    /// An event. Its marker is placed before the byte at `offset`, with `time`; it concerns the line at `subject`.
    struct Finding: Equatable {
        var event: BootEvent
        var offset: Int
        var subject: Int
        var time: Int64
    }

    /// A console is quiet after this many microseconds without a byte: longer than a kernel pauses in its last words,
    /// shorter than a machine needs from its reset to its first words.
    static let quietInterval: Int64 = 500_000
    /// An end's marker is placed after this many microseconds of further output at the latest.
    static let endLimit: Int64 = 10_000_000
    /// Firmware's banners that are closer together, in microseconds, are stages of one start. A kernel's first line so
    /// soon after it started may be the repetition of its log on another console.
    static let bannerInterval: Int64 = 10_000_000
    /// Beginnings within this many microseconds, without an announced end between them, are one boot: no machine
    /// restarts faster, but a printed log can show several.
    static let shortest: Int64 = 100_000

    enum Stage {
        case off, firmware, kernel
    }

    /// The banner with which a start begins. It has no words if a start prints it several times.
    struct FirstBanner {
        var words: [UInt8]
        var time: Int64
    }

    var stage = Stage.kernel
    /// The firmware that printed its banner last, and whether a loader followed.
    var firmware: (kind: BootBanner.Firmware, hasLoaded: Bool)?
    /// The banner with which the present start began.
    var firstBanner: FirstBanner?
    /// Whether the kernel has started the first program.
    var runsPrograms = false
    /// Whether the machine has asked for a login, and waited for it.
    var hasAskedForLogin = false
    var system: BootBanner.System?
    var clock: KernelClock?
    /// Whether the kernel printed its first line without a stamp: then stamps are not its own.
    var isStampless = false
    var ending: BootEnding?
    var doubt: DoubtfulBoot?
    /// When the latest boot that was found began, and when the current one reached its stage.
    var lastBanner: Int64?
    private(set) var stageStart: Int64?
    var rate = BootRate()
    /// When the latest text was received.
    private(set) var lastText: Int64 = 0
    /// When text was received that followed a pause.
    private(set) var lastResumption: Int64 = 0

    /// The announced end whose marker is not yet placed.
    var pendingEnd: BootEvent? { ending.flatMap { $0.isMarked ? nil : $0.event } }
    /// Whether lines are only searched for banners: no words or stamps decide anything.
    var isSteady: Bool { ending == nil && doubt == nil }
    /// Whether a prompt decides something.
    var awaitsPrompt: Bool { pendingEnd != nil || doubt?.kind == .firmware || doubt?.isConfirmedByLogin ?? false }
    /// Whether a pause will be a finding.
    var awaitsQuiet: Bool { pendingEnd != nil || doubt.map { $0.isConfirmedByPause || $0.isConfirmedByLogin } ?? false }
    /// Whether the next words begin a boot.
    var awaitsWords: Bool { ending.map { $0.isMarked && $0.isFinal } ?? false }

    // MARK: - Transport and time

    /// The transport shows `event`, after all text so far, which ends at `offset`.
    mutating func note(_ event: BootEvent, at offset: Int) -> [Finding] {
        let findings = quiet(at: offset)
        self = BootState()
        stage = event == .powerOn ? .off : .kernel
        return findings
    }

    /// The console has been quiet for `quietInterval`; its text so far ends at `offset`.
    mutating func quiet(at offset: Int) -> [Finding] {
        var findings: [Finding] = []
        markEnd(at: offset, &findings)
        if let doubt, doubt.isConfirmedByPause {
            confirm(doubt, at: Context(offset: offset, time: lastText), &findings)
        }
        return findings
    }

    /// Text is received at `time`; it begins at `offset`. Whether the console was quiet before it is told by `isPause`.
    mutating func receive(at time: Int64, _ offset: Int) -> [Finding] {
        defer { lastText = time }
        var findings: [Finding] = []
        if isPause(before: time) {
            findings = quiet(at: offset)
            lastResumption = time
        }
        if let ending, !(0..<Self.endLimit).contains(time - ending.time) {
            markEnd(at: offset, &findings)
        }
        return findings
    }

    /// Whether the console was quiet, for `interval` at least, before text that is received at `time`.
    func isPause(of interval: Int64 = quietInterval, before time: Int64) -> Bool {
        !(0..<interval).contains(time - lastText)
    }

    // MARK: - Lines

    /// Takes the next line, or what is known of its beginning; returns whether its rest is of no interest.
    mutating func apply(_ line: BootLine, _ context: Context, _ findings: inout [Finding]) -> Bool {
        // Of an unfinished line it is not known whether it is a kernel's first.
        if let stamp = line.stamp, context.isComplete || line.banner != nil {
            weigh(stamp, line.banner, context, &findings)
        }
        if let banner = line.banner, apply(banner, line.stamp, context, &findings) {
            return true
        }
        guard context.isComplete, line.hasText else {
            return false
        }
        if context.prompt != nil, ending?.isContradictedByPrompt ?? false {
            ending = nil
        }
        if context.prompt == .command {
            doubt?.isAtNextCommand = true
            doubt = doubt?.kind == .firmware ? nil : doubt
        }
        if !context.isOutput, isNextBoot(line, context) {
            begin(.afterEnd, context, &findings)
            enter(.firmware, at: context.time)
        }
        if let stamp = line.stamp, ending == nil || !context.isOutput, !context.isOfOtherKernel {
            read(stamp, context, &findings)
        }
        return true
    }

    /// Returns false when the banner means nothing here, so that it is text like other.
    private mutating func apply(
        _ banner: BootBanner,
        _ stamp: Int64?,
        _ context: Context,
        _ findings: inout [Finding]
    ) -> Bool {
        if context.isOutput, stage == .kernel {
            // The log of a console, which the command prints. A machine that it restarts begins after a pause.
            switch banner {
            case .firmware, .loaderStart, .loader: return false
            case .kernel where ending != nil: return false
            default: break
            }
        }
        switch banner {
        case .firmware(let kind):
            startFirmware(isNext: isNextStart(kind, context), context, &findings)
            firmware = (kind, false)
        case .loaderStart, .loader:
            firmware?.hasLoaded = true
            startFirmware(isNext: repeatsFirst(context), context, &findings)
        case .kernel(let found):
            start(found, stamp, context, &findings)
            noteFirst(context)
        case .userSpace:
            runsPrograms = true
            return false
        case .kernelVersion:
            guard ending != nil || stage != .kernel else {
                return false
            }
            start(.linux, nil, context, &findings)
            isStampless = true
        case .end(let end, let owner):
            let isEnd = apply(end, of: owner, stamp, context, &findings)
            ending?.isRequest = false
            return isEnd
        case .request(let end):
            let isRequest = ending?.isRequest ?? true
            let isEnd = apply(end, of: .linux, stamp, context, &findings)
            ending?.isRequest = isRequest
            return isEnd
        case .lastWords:
            return ending != nil
        }
        return true
    }

    private mutating func start(
        _ found: BootBanner.System,
        _ stamp: Int64?,
        _ context: Context,
        _ findings: inout [Finding]
    ) {
        if let doubt, doubt.kind == .firmware {
            confirm(doubt, at: context, &findings)
        }
        if ending == nil, stage == .kernel {
            guard doubtsKernel(found, stamp, context) else {
                system = system ?? found
                return
            }
            let isEarly = isEarly(found, context)
            guard context.isMidLine, !context.isOfPager, !isEarly else {
                let start = KernelClock(stamp: stamp ?? 0, time: context.time)
                return note(.firstLine(isEarly: isEarly), of: found, start, context, &findings)
            }
        }
        if ending != nil || stage == .kernel {
            begin(.kernel, context, &findings)
        }
        // The first system on a hypervisor starts after it.
        enter(found == .xen ? .firmware : .kernel, at: context.time)
        (system, runsPrograms) = (found, false)
        clock = stamp.map { KernelClock(stamp: $0, time: context.time) }
    }

    /// The first end of a boot counts: a panic is followed by "Restarting system".
    private mutating func apply(
        _ end: BootBanner.End,
        of owner: BootBanner.System?,
        _ stamp: Int64?,
        _ context: Context,
        _ findings: inout [Finding]
    ) -> Bool {
        // Programs on Linux print the words of other systems and of firmware too.
        let isLinux = system == .linux || (system == nil && clock != nil)
        if owner != .linux, owner != .xen, isLinux || (owner == nil && system != nil) {
            return false
        }
        // A kernel that prints stamps prints them at its panic, too.
        if owner == .linux, end == .panic, stamp == nil, clock != nil, !isStampless {
            return false
        }
        if context.isOfOtherKernel {
            return false
        }
        // After their panics other systems dump their memory or wait in a debugger; then they announce the restart.
        let isFinal =
            ((owner == .linux || owner == .xen) && !context.isAtShell) || end == .restart
            || (end == .panic && owner == .windows)
        if let earlier = ending {
            ending?.isFinal = earlier.isFinal || isFinal
            return true
        }
        if let doubt, !context.isOutput, doubt.isConfirmedByEnd(withStamp: stamp != nil) {
            confirm(doubt, at: context, &findings)
        }
        doubt = nil
        ending = BootEnding(event: end.event, offset: context.offset, time: context.time, isFinal: isFinal)
        return true
    }

    /// Whether `line`, which has no banner, belongs to the boot after the announced end.
    private func isNextBoot(_ line: BootLine, _ context: Context) -> Bool {
        guard let ending else {
            return false
        }
        if let stamp = line.stamp {
            return clock.map { $0.isRestarted(at: stamp, context.time) } ?? (stamp < Self.nearStart)
        }
        // A pause may divide one of the last words.
        return ending.isComplete(at: context.time) && !context.isMidLine
    }

    mutating func enter(_ next: Stage, at time: Int64) {
        (stage, stageStart) = (next, time)
    }

    // MARK: - Findings

    func finding(_ event: BootEvent, at context: Context) -> Finding {
        Finding(event: event, offset: context.offset, subject: context.offset, time: context.time)
    }

    private mutating func markEnd(at offset: Int, _ findings: inout [Finding]) {
        if let ending, !ending.isMarked {
            findings.append(Finding(event: ending.event, offset: offset, subject: ending.offset, time: lastText))
            self.ending?.isMarked = true
        }
    }

    mutating func begin(_ event: BootEvent, _ context: Context, _ findings: inout [Finding]) {
        if ending != nil || !isTooSoon(at: context.time), rate.admits(at: context.time) {
            markEnd(at: context.offset, &findings)
            findings.append(finding(event, at: context))
        }
        lastBanner = context.time
        (ending, doubt, system, clock, isStampless, firstBanner) = (nil, nil, nil, nil, false, nil)
        hasAskedForLogin = false
    }

    /// Whether no machine begins two boots so fast.
    func isTooSoon(at time: Int64) -> Bool {
        lastBanner.map { (0..<Self.shortest).contains(time - $0) } ?? false
    }

    /// Whether a banner at `time` may begin a boot without an end before it.
    func mayBegin(at time: Int64) -> Bool {
        !isRecent(lastBanner, at: time)
    }

    func isRecent(_ banner: Int64?, at time: Int64) -> Bool {
        banner.map { (0..<Self.bannerInterval).contains(time - $0) } ?? false
    }
}
