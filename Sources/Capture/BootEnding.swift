// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// An end of a boot that the guest announced.
struct BootEnding {
    var event: BootEvent
    /// Position and time of the line that announced it.
    var offset: Int
    var time: Int64
    /// Whether the machine starts again by itself, so that any words after a pause are the next boot's.
    var isFinal: Bool
    /// Whether init announced it, so that the kernel's words may follow.
    var isRequest = false
    var isMarked = false

    /// The time in which the kernel still prints what it does after init's words, in microseconds: BusyBox's init pauses for
    /// a second before it asks the kernel.
    private static let requestTime: Int64 = 2_500_000

    /// Whether text received at `now` belongs to the next boot.
    func isComplete(at now: Int64) -> Bool {
        isFinal && isMarked && (!isRequest || now - time >= Self.requestTime)
    }

    /// Whether a prompt contradicts it: a program printed the words, and the system goes on. After a pause a prompt may be
    /// the next boot's.
    var isContradictedByPrompt: Bool { !isMarked }
}

extension BootBanner.Firmware {
    /// Whether its banner comes before those of loaders only: the stages of others have loaders between them.
    var isFirst: Bool {
        switch self {
        case .seaBIOS, .edk2, .slof: true
        case .uBoot, .coreboot, .openSBI, .trustedFirmware, .barebox, .skiboot: false
        }
    }
}

extension BootBanner.End {
    var event: BootEvent {
        switch self {
        case .panic: .panic
        case .restart: .restart
        case .powerDown: .powerDown
        case .halt: .halt
        case .nextKernel: .nextKernel
        }
    }
}
