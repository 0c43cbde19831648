// SPDX-License-Identifier: Apache-2.0

/// The first and last words of firmware and systems, as they print them on a console.
enum BootWords {
    /// Words at the beginning of a line, after the time stamp, and what they say.
    struct Entry: Sendable {
        let text: StaticString
        /// Words after a number, such as a year, that follows the text; nil when the text suffices.
        var afterNumber: StaticString?
        let stamp: Stamp
        let banner: BootBanner

        func matches(_ line: ConsoleLine) -> Bool {
            guard line.begins(with: text) else {
                return false
            }
            return afterNumber.map { behindNumber(line).begins(with: $0) } ?? true
        }

        /// Whether `line` ends within the words.
        func endsWithin(_ line: ConsoleLine) -> Bool {
            guard line.begins(with: text) else {
                return line.ends(within: text)
            }
            return afterNumber.map { behindNumber(line).ends(within: $0) } ?? false
        }

        private func behindNumber(_ line: ConsoleLine) -> ConsoleLine {
            var line = line
            _ = line.take(text)
            _ = line.takeDigits(4)
            return line
        }
    }

    /// Which time stamp has to precede the words.
    enum Stamp: Sendable {
        /// Any or none.
        case optional
        case required
        /// One of a kernel that is starting.
        case ofStart
        case none
    }

    /// The banner at the position of `line`, after the time stamp `stamp`.
    static func banner(_ line: ConsoleLine, stamp: Int64?) -> BootBanner? {
        guard let first = line.current, Int(first) < byFirstByte.count else {
            return nil
        }
        for entry in byFirstByte[Int(first)] where entry.matches(line) && isFit(stamp, entry.stamp) {
            return entry.banner == .end(.panic, .bsd) && isRuntimePanic(line) ? nil : entry.banner
        }
        return nil
    }

    private static func isFit(_ stamp: Int64?, _ wanted: Stamp) -> Bool {
        switch wanted {
        case .optional: true
        case .required: stamp != nil
        case .ofStart: stamp.map(isOfStart) ?? false
        case .none: stamp == nil
        }
    }

    /// Whether a kernel that prints this stamp has just started: its clock begins at 0, or goes on from the loader's. That of
    /// Linux 2.6.12 to 2.6.16 begins five minutes before its counter of 32 bits and milliseconds wraps.
    private static func isOfStart(_ stamp: Int64) -> Bool {
        stamp < 10_000_000 || (4_294_667_000_000..<4_294_968_000_000).contains(stamp)
    }

    /// Whether a program in Go panicked, not a kernel: `panic: runtime error: …`; also of as much of the line as is known.
    private static func isRuntimePanic(_ line: ConsoleLine) -> Bool {
        runtimePanics.contains { line.begins(with: $0) || line.ends(within: $0) }
    }

    private static let runtimePanics: [StaticString] = ["panic: runtime error", "panic: interface conversion"]

    /// Whether `line` ends within the words of a banner, after the time stamp `stamp`.
    static func endsWithinWords(_ line: ConsoleLine, stamp: Int64?) -> Bool {
        if line.ends(within: "(XEN) ") || runtimePanics.contains(where: { line.ends(within: $0) }) {
            return true
        }
        return byFirstByte.joined().contains { $0.endsWithin(line) && isFit(stamp, $0.stamp) }
    }

    /// The same of a line at the position after what Xen writes before its messages.
    static func endsWithinWordsOfXen(_ line: ConsoleLine) -> Bool {
        xen.contains { $0.endsWithin(line) }
    }

    /// The banner at the position of `line`, after what Xen writes before its messages.
    static func bannerOfXen(_ line: ConsoleLine) -> BootBanner? {
        xen.first { line.begins(with: $0.text) }?.banner
    }

    private static let byFirstByte: [[Entry]] = {
        var lists: [[Entry]] = Array(repeating: [], count: 128)
        for entry in firmware + loaders + linux + bsd + illumos + windows + zephyr {
            lists[Int(entry.text.utf8Start[0])].append(entry)
        }
        return lists
    }()

    /// The first two bytes of a line that may have a banner or a stamp.
    static let beginnings: BytePairs = {
        var beginnings = BytePairs()
        for entry in byFirstByte.joined() {
            beginnings.insert(entry.text.utf8Start[0], entry.text.utf8Start[1])
        }
        // What may precede the words.
        beginnings.insert(UInt8(ascii: "("), UInt8(ascii: "X"))
        for noise in [Byte.escape, Byte.carriageReturn, 0] {
            (UInt8.min...UInt8.max).forEach { beginnings.insert(noise, $0) }
        }
        beginnings.insert(UInt8(ascii: "["), UInt8(ascii: " "))
        for digit in UInt8(ascii: "0")...UInt8(ascii: "9") {
            beginnings.insert(UInt8(ascii: "["), digit)
            beginnings.insert(UInt8(ascii: "<"), digit)
        }
        return beginnings
    }()

    private static func words(
        _ banner: BootBanner,
        _ texts: StaticString...,
        afterNumber: StaticString? = nil,
        stamp: Stamp = .optional
    ) -> [Entry] {
        texts.map { Entry(text: $0, afterNumber: afterNumber, stamp: stamp, banner: banner) }
    }

    // MARK: - Firmware and boot loaders

    private static let firmware: [Entry] =
        words(.firmware(.seaBIOS), "SeaBIOS (version")
        + words(.firmware(.edk2), "UEFI firmware (version", "SecCoreStartupWithStack(")
        // The year distinguishes U-Boot's banner from other lines with its name.
        + words(.firmware(.uBoot), "U-Boot 20", "U-Boot SPL 20", "U-Boot TPL 20")
        // Before 2008, as routers still have it.
        + words(.firmware(.uBoot), "U-Boot 1.0.", "U-Boot 1.1.", "U-Boot 1.2.", "U-Boot 1.3.")
        // coreboot 4.17 and later have the level in front.
        + words(.firmware(.coreboot), "coreboot-", "[NOTE ]  coreboot-")
        + words(.firmware(.openSBI), "OpenSBI v")
        + words(.firmware(.slof), "SLOF\u{1b}", "SLOF **", "SLOF  **")
        + words(.firmware(.barebox), "barebox 20")
        + words(.firmware(.skiboot), "OPAL v", "OPAL skiboot-")
        + words(.firmware(.trustedFirmware), "NOTICE:  BL1: v", "NOTICE:  Booting Trusted Firmware")
        + words(.end(.restart, nil), "resetting ...", "system_reset() called!", "full_reset() called!")
        + words(.end(.powerDown, nil), "poweroff ...")
        + words(.end(.panic, nil), "### ERROR ### Please RESET the board ###")

    private static let loaders: [Entry] =
        words(.loaderStart, "NOTICE:  BL2: v", "NOTICE:  BL31: v", "GRUB loading", "Welcome to GRUB!")
        + words(.loaderStart, ">> OpenBSD/", ">> NetBSD/", "FreeBSD/x86 bootstrap loader")
        + words(.loaderStart, "FreeBSD/amd64 EFI loader", "FreeBSD/arm64 EFI loader")
        + words(.loader, "BdsDxe: ", "Machine UUID ")
        + words(.loader, "Booting from ROM", "Booting from Hard Disk", "Booting from DVD/CD", "Booting from Floppy")
        + words(.loader, "iPXE (http", "iPXE initialising devices")
        + words(.loader, "GNU GRUB  version ", "Booting `", "Loading initial ramdisk ...")
        + words(.loader, "SYSLINUX ", "ISOLINUX ", "PXELINUX ", "EXTLINUX ", "EFI stub: ", "Starting kernel ...")
        + words(.loader, "Booting with PVH Boot Protocol", "Decompressing Linux...", "Uncompressing Linux...")
        + words(.loader, ">> FreeBSD/", ">> FreeBSD EFI boot block")
        + words(.loader, "Loading unix...", "Loading /platform/i86pc/kernel/")

    // MARK: - Systems

    /// Up to Linux 3.10 the last words have no "reboot: " in front.
    private static let linux: [Entry] =
        words(.kernel(.linux), "Linux version ", "Booting Linux on physical CPU", stamp: .ofStart)
        + words(.kernelVersion, "Linux version ", stamp: .none)
        + words(.userSpace, "Run /", "Freeing unused kernel", "Freeing init memory", stamp: .required)
        + words(.end(.panic, .linux), "Kernel panic - not syncing", "Kernel panic: ")
        + words(.end(.restart, .linux), "reboot: Restarting system", "Restarting system.")
        + words(.end(.restart, .linux), "Restarting system with command '", "sysrq: Resetting", "SysRq : Resetting")
        + words(.end(.powerDown, .linux), "reboot: Power down", "Power down.")
        + words(.end(.halt, .linux), "reboot: System halted", "System halted.", "reboot: Power off not available")
        + words(.end(.nextKernel, .linux), "kexec_core: Starting new kernel", "kexec: Starting new kernel")
        + words(.end(.nextKernel, .linux), "Starting new kernel", "Starting crashdump kernel...", stamp: .required)
        // What init says before it asks the kernel, whose own words may be on another console.
        + words(.request(.restart), "systemd-shutdown[1]: Rebooting.", "Requesting system reboot")
        + words(.request(.powerDown), "systemd-shutdown[1]: Powering off.", "Requesting system poweroff")
        + words(.request(.halt), "systemd-shutdown[1]: Halting system.", "Requesting system halt")
        + words(.request(.nextKernel), "systemd-shutdown[1]: Rebooting with kexec.")
        + words(.lastWords, "Rebooting in ", "reboot: machine restart", "machine restart", "Bye!")
        + words(.lastWords, "ACPI: PM: Preparing to enter system sleep", "ACPI: Preparing to enter system sleep")
        + words(.lastWords, "---[ end Kernel panic", "ACPI MEMORY or I/O RESET_REG", "acpi_power_off called")

    /// FreeBSD, OpenBSD, NetBSD and DragonFly. Their messages of the day repeat the kernel's version, but not its copyright.
    private static let bsd: [Entry] =
        words(.kernel(.bsd), "---<<BOOT>>---", "Copyright (c) 1992-20", "Copyright (c) 1982, 1986, 1989, 1991, 1993")
        + words(.kernel(.bsd), "Copyright (c) 1996, 1997, 1998")
        + words(.kernel(.bsd), "Copyright (c) 2003-", afterNumber: " The DragonFly Project")
        + words(.end(.panic, .bsd), "panic: ")
        // OpenBSD's debugger follows these without a panic.
        + words(.end(.panic, .bsd), "kernel: page fault trap, code=", "kernel: protection fault trap, code=")
        + words(.end(.panic, .bsd), "kernel: double fault trap, code=")
        + words(.end(.restart, .bsd), "Rebooting...", "rebooting...", "cpu_reset: ")
        + words(.end(.powerDown, .bsd), "Attempting to power down", "attempting to power down")
        + words(.end(.powerDown, .bsd), "acpi0: Powering system off", "acpi0: entering state S5")
        + words(.end(.halt, .bsd), "The operating system has halted.")
        + words(.lastWords, "Please press any key to reboot", "Automatic reboot in ", "Dumping ", "Dump complete")
        + words(.lastWords, "dumping to ", "dump succeeded", "Uptime: ", "cpuid = ", "KDB: ", "ddb")

    private static let illumos: [Entry] =
        words(.kernel(.illumos), "SunOS Release ")
        + words(.end(.panic, .illumos), "panic[cpu")
        + words(.end(.halt, .illumos), "Press any key to reboot")
        + words(.end(.powerDown, .illumos), "powering off...")
        + words(.lastWords, "syncing file systems...")

    /// Windows on its Emergency Management Services console.
    private static let windows: [Entry] =
        words(.kernel(.windows), "Computer is booting, SAC started and initialized")
        + words(.end(.panic, .windows), "*** STOP: 0x", "<INSTANCE CLASSNAME=\"BLUESCREEN\">")
        + words(.end(.powerDown, .windows), "The SAC will become unavailable soon")

    private static let zephyr: [Entry] =
        words(.kernel(.zephyr), "*** Booting Zephyr OS ", "***** Booting Zephyr OS ")
        + words(.end(.panic, .zephyr), ">>> ZEPHYR FATAL ERROR ")

    /// Behind `(XEN) `.
    private static let xen: [Entry] =
        words(.kernel(.xen), "Xen version ")
        + words(.end(.panic, .xen), "Panic on CPU ")
        + words(.end(.restart, .xen), "Hardware Dom0 shutdown: rebooting machine")
        + words(.end(.restart, .xen), "Hardware Dom0 crashed: rebooting machine")
        // Up to Xen 4.4.
        + words(.end(.restart, .xen), "Domain 0 shutdown: rebooting machine", "Domain 0 crashed: rebooting machine")
        + words(.end(.halt, .xen), "Hardware Dom0 halted: halting machine")
        + words(.lastWords, "Reboot in ", "Manual reset required", "Resetting with ")
}
