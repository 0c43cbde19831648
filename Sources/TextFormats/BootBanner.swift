/// What a console line says about the machine's life: firmware or a kernel that starts, a kernel that ends.
///
/// A guest can print any of this at will, so it is a hint beside what the transport sees, never instead of it. One
/// boot may show several banners (each stage of U-Boot or coreboot, "loading" and "starting" of EDK2, a kernel whose
/// early console is replayed); whoever counts boots takes banners close together for one.
public enum BootBanner: Hashable, Sendable {
    /// Firmware has taken over.
    case firmware(Firmware)
    /// A Linux kernel's first words.
    case kernel
    /// The kernel gave up.
    case panic
    /// The kernel's last words before a restart, a power-off, a halt.
    case restarting, powerDown, halted

    /// The firmware that spoke; the raw value is the name people know it by.
    public enum Firmware: String, CaseIterable, Sendable {
        case seaBIOS = "SeaBIOS"
        /// EDK2, of which OVMF, AAVMF and ArmVirtQemu are builds.
        case edk2 = "EDK2"
        case uBoot = "U-Boot"
        case coreboot
    }

    /// How many bytes of a line are enough: nothing after them is looked at.
    public static let lookAhead = ConsoleLine.lookAhead

    /// The banner that `line` begins with, or nil. Terminal noise, `<N>` and the kernel's time stamp may precede it;
    /// the line's end may be there or not. Never allocates.
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
        // coreboot 4.17 and later name the level in the kernel's place: "[NOTE ]  coreboot-4.22 …".
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
        // `cat /proc/version` prints the same words: only the stamp tells a kernel that is starting.
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

    /// Steps over SeaBIOS's "Booting from ROM..": the kernel it starts sets up the UART anew before the line's end is
    /// out, and speaks in the same line.
    private static func skipBootDevice(_ line: inout ConsoleLine) {
        guard line.take("Booting from ROM") || line.take("Booting from Hard Disk") else {
            return
        }
        while line.current == UInt8(ascii: ".") {
            line.advance()
        }
        line.skipNoise()
    }

    /// The banner's year tells U-Boot's own words from words about it.
    private static func isUBoot(_ line: ConsoleLine) -> Bool {
        line.begins(with: "U-Boot 20") || line.begins(with: "U-Boot SPL 20") || line.begins(with: "U-Boot TPL 20")
    }
}
