// SPDX-License-Identifier: Apache-2.0

/// What a console line says about the life of its machine: firmware or a kernel that starts, a system that ends.
///
/// A guest can print any of these, so they supplement the transport's evidence and never replace it. One boot may print
/// several of them: each stage of U-Boot or coreboot, "loading" and "starting" of EDK2, a kernel whose early console is
/// replayed. `BootWords` has the words themselves.
public enum BootBanner: Hashable, Sendable {
    /// Firmware started: printed once per start.
    case firmware(Firmware)
    /// A boot loader started: printed once per start, unless another loader starts it again.
    case loaderStart
    /// Firmware or a boot loader is running: printed several times per boot.
    case loader
    /// A kernel started.
    case kernel(System)
    /// A Linux kernel's first line without its time stamp, as `cat /proc/version` prints it too.
    case kernelVersion
    /// A Linux kernel starts the first program.
    case userSpace
    /// A system announced its end; firmware, when none is named.
    case end(End, System?)
    /// Linux's init asks the kernel for the end; the kernel's own words may be on another console.
    case request(End)
    /// What a system prints after it announced its end.
    case lastWords

    /// The kind of firmware; the raw value is its usual name.
    public enum Firmware: String, CaseIterable, Sendable {
        case seaBIOS = "SeaBIOS"
        /// EDK2, of which OVMF, AAVMF and ArmVirtQemu are builds.
        case edk2 = "EDK2"
        case uBoot = "U-Boot"
        case coreboot
        case openSBI = "OpenSBI"
        /// The firmware of QEMU's POWER machines.
        case slof = "SLOF"
        case trustedFirmware = "TF-A"
        case barebox
        /// The firmware of POWER machines without a hypervisor.
        case skiboot
    }

    /// The family of an operating system, or the hypervisor Xen, on which the first system starts after it.
    public enum System: Sendable {
        case linux, bsd, illumos, windows, xen, zephyr
    }

    /// How a system ends.
    public enum End: Sendable {
        case panic, restart, powerDown, halt
        /// The kernel starts another one: kexec.
        case nextKernel
    }

    /// Whether a start prints it once, in the same words at each start.
    public var isOncePerStart: Bool {
        switch self {
        case .firmware, .loaderStart, .kernel: true
        case .loader, .kernelVersion, .userSpace, .end, .request, .lastWords: false
        }
    }

    /// The number of bytes of a line that are examined.
    public static let lookAhead = ConsoleLine.lookAhead

    /// The banner at the beginning of `line`, or nil. Terminal control sequences, `<N>` and the kernel's time stamp may
    /// precede it; the line's end may be missing. Never allocates.
    public init?(line bytes: UnsafeRawBufferPointer) {
        guard let banner = BootLine(bytes).banner else {
            return nil
        }
        self = banner
    }
}

/// A console line, as far as it tells about boots. Never allocates.
public struct BootLine: Sendable {
    public let banner: BootBanner?
    /// The kernel's time stamp in microseconds.
    public let stamp: Int64?
    /// Whether `<N>` precedes the stamp, as in records that pstore keeps and programs print.
    public let hasPriority: Bool
    /// Where the words begin: after control sequences, `<N>`, the prefix of a console's client, and the stamp or `(XEN) `.
    public let start: Int
    /// Whether there is visible text, besides the stamp.
    public let hasText: Bool

    public init(_ bytes: UnsafeRawBufferPointer) {
        var line = ConsoleLine(bytes)
        hasPriority = line.takeBootPrefix()
        // Xen's clock is not that of the systems on it.
        let isOfXen = line.takeXen()
        stamp = isOfXen ? nil : line.takeStampAndTask()
        start = line.offset
        banner = isOfXen ? BootWords.bannerOfXen(line) : BootWords.banner(line, stamp: stamp)
        line.skipBlanks()
        hasText = line.current.map { $0 != Byte.feed } ?? false
    }

    /// Whether `bytes`, the beginning of a row, end within what may be a banner, or within what precedes its words: the next
    /// bytes tell whether it is one, and which. All of the row counts as the words of a banner that a start prints once.
    public static func endsWithinBanner(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var line = ConsoleLine(bytes)
        _ = line.takeBootPrefix()
        guard !line.endsWithinStamp else {
            return true
        }
        if line.takeXen() {
            return line.endsWithinStamp || BootWords.endsWithinWordsOfXen(line)
        }
        let stamp = line.takeStampAndTask()
        if let banner = BootWords.banner(line, stamp: stamp) {
            return banner.isOncePerStart
        }
        return BootWords.endsWithinWords(line, stamp: stamp) || stamp != nil && line.endsWithinTask
    }

    /// Whether the beginning of `bytes` leaves it possible that a banner or a stamp is there, unless a stamp follows other
    /// text: false for most lines, and much faster than finding out.
    @inline(__always)
    public static func mayTell(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count > 1, BootWords.beginnings.contains(bytes[0], bytes[1]) else {
            return false
        }
        return bytes[0] != UInt8(ascii: "<") || mayTellAfterPriority(bytes)
    }

    /// The same of what follows `<N>`, which every line of some systems has.
    private static func mayTellAfterPriority(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let end = bytes.prefix(5).firstIndex(of: UInt8(ascii: ">")), end + 2 < bytes.count else {
            return true
        }
        return BootWords.beginnings.contains(bytes[end + 1], bytes[end + 2])
    }
}

extension ConsoleLine {
    /// Skips what precedes the stamp or the words of a banner, and returns whether `<N>` is a part of it.
    fileprivate mutating func takeBootPrefix() -> Bool {
        skipNoise()
        var hasPriority = takePriority() != nil
        var behindLogger = self
        if behindLogger.takeLogger() == .client {
            self = behindLogger
            hasPriority = takePriority() != nil || hasPriority
        }
        return hasPriority
    }

    /// Skips the kernel's stamp, with the task that vendors' kernels add to it, and returns it; also skips skiboot's time.
    fileprivate mutating func takeStampAndTask() -> Int64? {
        guard let stamp = takeStamp() else {
            takeTimeOfOPAL()
            return nil
        }
        takeTask()
        return stamp
    }

    /// Skips MediaTek's `(0)[1:swapper/0]` or Samsung's `I[0:      swapper:    0] `.
    private mutating func takeTask() {
        var line = self
        if line.take("(") {
            guard line.takeDigits(2) > 0, line.take(")") else {
                return
            }
        } else {
            line.advance()
        }
        guard line.take("["), line.takeDigits(10) > 0, line.take(":"),
            let end = line.rest.prefix(Self.longestTask).firstIndex(of: UInt8(ascii: "]"))
        else {
            return
        }
        line.advance(by: end + 1)
        _ = line.take(" ")
        self = line
    }

    /// Whether the line ends within what may be such a task.
    fileprivate var endsWithinTask: Bool {
        var line = self
        if line.take("(") {
            _ = line.takeDigits(2)
            guard line.take(")") || line.current == nil else {
                return false
            }
        } else {
            line.advance()
        }
        guard line.take("[") else {
            return line.current == nil
        }
        _ = line.takeDigits(10)
        return line.current == nil
            || line.take(":") && line.rest.count < Self.longestTask && !line.rest.contains(UInt8(ascii: "]"))
    }

    /// More bytes than a task's name and number have.
    private static let longestTask = 32

    /// Skips skiboot's time and level, `[    0.012345678,5] `.
    private mutating func takeTimeOfOPAL() {
        var line = self
        guard line.take("[") else {
            return
        }
        _ = line.takeSpaces()
        if line.takeDigits(10) > 0, line.take("."), line.takeDigits(9) > 0, line.take(","), line.takeDigits(1) > 0,
            line.take("] ")
        {
            self = line
        }
    }
}
