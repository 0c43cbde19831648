// SPDX-License-Identifier: Apache-2.0

/// How the begin or end of a boot was detected.
public enum BootEvent: UInt8, Sendable, CaseIterable {
    /// The VMM opened the console: the machine was switched on, as far as the transport shows.
    case powerOn = 1
    /// Firmware or a boot loader on a live console: the machine was reset.
    case firmware = 2
    /// A kernel that started without firmware before it: kexec, or a VMM without firmware.
    case kernel = 3
    /// The console was connected for the first time while the machine had been running for a while.
    case joined = 4
    /// Output after an announced end, without a banner: the machine has started again.
    case afterEnd = 5
    /// A kernel's first line that may also be old messages printed again, as by `dmesg`, or firmware's that a command may
    /// have printed. It is no boot, unless a marker of a kernel or of firmware with the same position confirms it.
    case doubtful = 6
    /// The guest's records have another boot id. Found by readers; there is no marker.
    case bootID = 7
    /// The console was closed: the machine, or its VMM, has ended.
    case closed = 16
    /// The guest announced a power-off.
    case powerDown = 17
    /// The guest announced a restart.
    case restart = 18
    /// The guest announced a halt.
    case halt = 19
    case panic = 20
    /// The guest announced the start of another kernel by kexec.
    case nextKernel = 21

    /// Whether the transport detected it, rather than the guest's output.
    public var isByTransport: Bool { [.powerOn, .joined, .closed].contains(self) }

    /// Whether it confirms a doubtful beginning with the same position.
    public var isConfirmation: Bool { self == .kernel || self == .firmware }

    /// Whether a boot begins with it, or may begin.
    public var isBeginning: Bool { rawValue < BootEvent.closed.rawValue }

    /// The word that `guestlog boots` shows.
    public var name: String {
        switch self {
        case .powerOn: "power-on"
        case .firmware: "reset"
        case .kernel: "kernel"
        case .joined: "joined"
        case .afterEnd: "after-restart"
        case .doubtful: "doubtful"
        case .bootID: "boot-id"
        case .closed: "closed"
        case .powerDown: "power-down"
        case .restart: "restart"
        case .halt: "halt"
        case .panic: "panic"
        case .nextKernel: "kexec"
        }
    }
}

/// The contents of a boot marker.
public struct BootDetail: Hashable, Sendable {
    public var event: BootEvent
    /// Position of what it concerns: the boot's first byte, or the line that announced its end. It is before the marker
    /// when the line with the banner began in an earlier record, when a doubtful beginning is confirmed, and at an end,
    /// whose marker follows the last words of the boot.
    public var position: UInt64

    /// Whether a marker at `offset` ends a line there that has no LF: what follows is said by another boot.
    public func endsLine(at offset: UInt64) -> Bool {
        event.isByTransport || (event.isBeginning && position == offset)
    }

    public init(event: BootEvent, position: UInt64) {
        self.event = event
        self.position = position
    }
}
