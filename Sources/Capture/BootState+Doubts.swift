// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

// Beginnings that are doubtful, and the kernel's clock that tells of them.
extension BootState {
    /// Stamps below this, in microseconds, may be the first of a kernel that prints warnings only.
    static let nearStart: Int64 = 10_000_000
    /// The first text after a pause comes within this time.
    private static let firstText: Int64 = 100_000

    /// Whether it matters for `line` what stands before it. Of a flood of banners few lines are examined so closely.
    func dependsOnSurroundings(_ line: BootLine, _ context: Context) -> Bool {
        switch (line.banner, line.stamp) {
        // The line may refute the doubt there is, and be doubtful itself.
        case (.kernel(let system), let stamp):
            doubt == nil ? doubtsKernel(system, stamp, context) : isFirstText(at: context.time)
        case (.firmware, _), (.loaderStart, _), (.loader, _):
            stage == .kernel ? doubt?.kind != .firmware && !isTooSoon(at: context.time) : repeatsFirst(context)
        case (.end(.panic, .linux), nil): true
        case (nil, let stamp?): context.isComplete && mayBegin(withStamp: stamp, at: context.time)
        default: false
        }
    }

    /// Whether the first line, with `stamp`, of a kernel of `system` would be doubtful.
    func doubtsKernel(_ system: BootBanner.System, _ stamp: Int64?, _ context: Context) -> Bool {
        isSteady && stage == .kernel && (!isEarly(system, context) || clock?.hasAdvanced(since: stamp ?? 0) ?? false)
    }

    /// Whether the present kernel, or the start before it, began so recently that it may print its first lines again. When
    /// no program runs yet that could print them, and they come after a pause, another kernel does.
    func isEarly(_ system: BootBanner.System, _ context: Context) -> Bool {
        system.repeatsFirstLines && hasJustStarted(at: context.time)
            && (runsPrograms || !isFirstText(at: context.time) || !repeatsFirst(context))
    }

    private func hasJustStarted(at time: Int64) -> Bool {
        !mayBegin(at: time) || isRecent(stageStart, at: time)
    }

    /// Whether text that is received at `time` is the first after a pause.
    private func isFirstText(at time: Int64) -> Bool {
        (0..<Self.firstText).contains(time - lastResumption)
    }

    /// Whether a line with `stamp` and without a banner, the first after a pause, may be from a kernel that has started
    /// without its first line: the stamps begin anew.
    func mayBegin(withStamp stamp: Int64, at time: Int64) -> Bool {
        guard isSteady, stage == .kernel, !isStampless, let clock, !hasJustStarted(at: time) else {
            return false
        }
        return isFirstText(at: time) && stamp < Self.nearStart && clock.isBeyond(stamp)
    }

    /// Reports a beginning that is doubtful, at the line of `context`.
    mutating func note(
        _ kind: DoubtfulBoot.Kind,
        of system: BootBanner.System?,
        _ start: KernelClock,
        _ context: Context,
        _ findings: inout [Finding]
    ) {
        guard rate.admits(at: context.time) else {
            return
        }
        findings.append(finding(.doubtful, at: context))
        doubt = DoubtfulBoot(
            kind,
            offset: context.offset,
            start: start,
            system: system,
            earlier: clock,
            words: context.words,
            isAtShell: context.isAtShell,
            followsLogin: hasAskedForLogin
        )
    }

    /// Compares a kernel's stamp with what it would be if the doubtful beginning were one.
    mutating func weigh(
        _ stamp: Int64,
        _ banner: BootBanner?,
        _ context: Context,
        _ findings: inout [Finding]
    ) {
        guard var doubt else {
            return
        }
        let isFirstLine = if case .kernel = banner { true } else { false }
        let verdict = doubt.verdict(on: stamp, isFirstLine: isFirstLine, at: context.time)
        self.doubt = verdict == .refuted ? nil : doubt
        if verdict == .confirmed {
            confirm(doubt, at: context, &findings)
        }
    }

    /// Takes the stamp of a complete line: a kernel is running, also if it did not print its first line.
    mutating func read(_ stamp: Int64, _ context: Context, _ findings: inout [Finding]) {
        let now = KernelClock(stamp: stamp, time: context.time)
        guard doubt == nil else {
            doubt?.latest = now
            return
        }
        if !context.isAtShell, mayBegin(withStamp: stamp, at: context.time) {
            note(.stamps, of: system ?? .linux, now, context, &findings)
            return
        }
        clock = now
        if stage != .kernel, ending == nil {
            enter(.kernel, at: context.time)
        }
    }

    /// The machine asks for a login, and waits for it.
    mutating func noteLogin(_ context: Context, _ findings: inout [Finding]) {
        if let doubt, doubt.isConfirmedByLogin {
            confirm(doubt, at: context, &findings)
        }
        hasAskedForLogin = true
    }

    mutating func confirm(_ doubt: DoubtfulBoot, at context: Context, _ findings: inout [Finding]) {
        self.doubt = nil
        guard rate.admits(at: context.time) else {
            return
        }
        let isOfFirmware = doubt.kind == .firmware
        findings.append(
            Finding(
                event: isOfFirmware ? .firmware : .kernel,
                offset: context.offset,
                subject: doubt.offset,
                time: context.time
            )
        )
        lastBanner = doubt.start.time
        enter(isOfFirmware || doubt.system == .xen ? .firmware : .kernel, at: doubt.start.time)
        (system, ending, isStampless, runsPrograms) = (doubt.system, nil, false, false)
        hasAskedForLogin = false
        firstBanner = FirstBanner(words: doubt.words, time: doubt.start.time)
        clock = isOfFirmware ? nil : doubt.latest
    }
}

extension BootBanner.System {
    /// Whether its first lines may come twice in one start, as on another console.
    fileprivate var repeatsFirstLines: Bool { self != .windows && self != .zephyr }
}
