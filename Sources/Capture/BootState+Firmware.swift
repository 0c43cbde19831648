// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

// Starts of firmware and boot loaders.
extension BootState {
    /// Firmware or a boot loader prints a banner; `isNext` tells whether it is that of another start, where firmware ran
    /// before.
    mutating func startFirmware(isNext: Bool, _ context: Context, _ findings: inout [Finding]) {
        guard doubt?.kind != .firmware else {
            return
        }
        if isSteady, stage == .kernel, context.isAtShell {
            let now = KernelClock(stamp: 0, time: context.time)
            return note(.firmware, of: nil, now, context, &findings)
        }
        if ending != nil || stage == .kernel || (stage == .firmware && isNext) {
            begin(.firmware, context, &findings)
            enter(.firmware, at: context.time)
        } else if stage == .off {
            enter(.firmware, at: context.time)
        }
        noteFirst(context)
    }

    /// Whether firmware's banner after another one is a start of its own, and not a further stage of one.
    func isNextStart(_ kind: BootBanner.Firmware, _ context: Context) -> Bool {
        if let firmware, firmware == (kind, true), kind.isFirst {
            return true
        }
        return repeatsFirst(context) || !isRecent(stageStart, at: context.time) && mayBegin(at: context.time)
    }

    /// Notes the banner of `context` if the start has none yet.
    mutating func noteFirst(_ context: Context) {
        firstBanner = firstBanner ?? FirstBanner(words: context.words, time: context.time)
    }

    /// Whether the start's first banner is printed again, after a pause: the stages of a start have different words.
    func repeatsFirst(_ context: Context) -> Bool {
        guard let firstBanner, !context.words.isEmpty, !context.isAtShell else {
            return false
        }
        return firstBanner.words == context.words && lastResumption > firstBanner.time
    }

    /// A prompt shows at `time` that a system runs, of which the kernel may have printed nothing.
    mutating func noteSystem(at time: Int64) {
        guard stage != .kernel, isSteady else {
            return
        }
        enter(.kernel, at: time)
        runsPrograms = true
    }
}
