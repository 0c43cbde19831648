// SPDX-License-Identifier: Apache-2.0

/// Detects banners of a machine's life in console lines: firmware or a kernel that starts, a kernel that ends.
///
/// A guest can print any of these, so they supplement the transport's evidence and never replace it. One boot may print
/// several banners (each stage of U-Boot or coreboot, "loading" and "starting" of EDK2, a kernel whose early console is
/// replayed); callers that count boots must treat banners close together as one.
public enum BootBanner: Hashable, Sendable {
    /// Firmware started.
    case firmware(Firmware)
    /// A Linux kernel started.
    case kernel
    /// The kernel panicked.
    case panic
    /// The kernel's last message before a restart, a power-off, a halt.
    case restarting, powerDown, halted

    /// The kind of firmware; the raw value is its usual name.
    public enum Firmware: String, CaseIterable, Sendable {
        case seaBIOS = "SeaBIOS"
        /// EDK2, of which OVMF, AAVMF and ArmVirtQemu are builds.
        case edk2 = "EDK2"
        case uBoot = "U-Boot"
        case coreboot
    }

    /// The number of bytes of a line that are examined.
    public static let lookAhead = ConsoleLine.lookAhead

    /// The banner at the beginning of `line`, or nil. Terminal control sequences, `<N>` and the kernel's time stamp may
    /// precede it; the line's end may be missing. Never allocates.
    public init?(line bytes: UnsafeRawBufferPointer) {
        var line = ConsoleLine(bytes)
        line.skipNoise()
        Self.skipBootDevice(&line)
        switch line.current {
        case UInt8(ascii: "S") where line.begins(with: "SeaBIOS (version"):
            self = .firmware(.seaBIOS)
        case UInt8(ascii: "B") where line.begins(with: "BdsDxe: "):
            self = .firmware(.edk2)
        case UInt8(ascii: "U") where line.begins(with: "UEFI firmware (version"):
            self = .firmware(.edk2)
        case UInt8(ascii: "U") where Self.isUBoot(line):
            self = .firmware(.uBoot)
        case UInt8(ascii: "c") where line.begins(with: "coreboot-"):
            self = .firmware(.coreboot)
        case UInt8(ascii: "["), UInt8(ascii: "<"), UInt8(ascii: "K"), UInt8(ascii: "r"):
            self.init(kernelLine: &line)
        default:
            return nil
        }
    }

    private init?(kernelLine line: inout ConsoleLine) {
        // coreboot 4.17 and later have the level in the kernel's place: "[NOTE ]  coreboot-4.22 …".
        if line.take("[NOTE ]  ") {
            guard line.begins(with: "coreboot-") else {
                return nil
            }
            self = .firmware(.coreboot)
            return
        }
        _ = line.takePriority()
        let seconds = line.takeStamp()
        switch line.current {
        // `cat /proc/version` prints the same text: only the time stamp shows that the kernel is starting.
        case UInt8(ascii: "L") where seconds == 0 && line.begins(with: "Linux version "):
            self = .kernel
        case UInt8(ascii: "K") where line.begins(with: "Kernel panic - not syncing"):
            self = .panic
        case UInt8(ascii: "r") where line.begins(with: "reboot: Restarting system"):
            self = .restarting
        case UInt8(ascii: "r") where line.begins(with: "reboot: Power down"):
            self = .powerDown
        case UInt8(ascii: "r") where line.begins(with: "reboot: System halted"):
            self = .halted
        default:
            return nil
        }
    }

    /// Skips SeaBIOS's "Booting from ROM..": the kernel resets the UART before the end of the line is sent, and prints
    /// in the same line.
    private static func skipBootDevice(_ line: inout ConsoleLine) {
        guard line.take("Booting from ROM") || line.take("Booting from Hard Disk") else {
            return
        }
        while line.current == UInt8(ascii: ".") {
            line.advance()
        }
        line.skipNoise()
    }

    /// The year distinguishes U-Boot's banner from other lines with its name.
    private static func isUBoot(_ line: ConsoleLine) -> Bool {
        line.begins(with: "U-Boot 20") || line.begins(with: "U-Boot SPL 20") || line.begins(with: "U-Boot TPL 20")
    }
}
