// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

import LogModel

/// Fixed words of kernels, firmware and services, and the severity at which they are printed, for consoles that do not
/// show `<N>`.
enum SeverityAlarms {
    private typealias Entry = (text: StaticString, severity: Severity)

    /// The severity of the text at the position of `line`. `program` is the name before it, if there is one; a kernel's
    /// line has a time stamp.
    static func severity(of line: ConsoleLine, program: UnsafeRawBufferPointer?, isKernel: Bool) -> Severity? {
        guard let first = line.current, first < 0x80 else {
            return nil
        }
        for entry in byFirstByte[Int(first)] where line.begins(with: entry.text) {
            return entry.severity
        }
        // Programs begin lines with these words too.
        if line.begins(with: "INFO: task "), contains(" blocked for more than ", in: line.rest) {
            return .error
        }
        if let program, isSystemd(program) {
            for entry in systemd where line.begins(with: entry.text) {
                return entry.severity
            }
        }
        guard isKernel, program == nil else {
            return nil
        }
        let text = line.rest
        for entry in anywhere where contains(entry.text, in: text) {
            return entry.severity
        }
        return nil
    }

    private static func contains(_ word: StaticString, in text: UnsafeRawBufferPointer) -> Bool {
        var start = 0
        while text.count - start >= word.utf8CodeUnitCount, let base = text.baseAddress,
            let hit = memchr(base + start, Int32(word.utf8Start[0]), text.count - start)
        {
            start = UnsafeRawPointer(hit) - base
            guard text.count - start >= word.utf8CodeUnitCount else {
                return false
            }
            if memcmp(hit, word.utf8Start, word.utf8CodeUnitCount) == 0 {
                return true
            }
            start += 1
        }
        return false
    }

    private static func isSystemd(_ name: UnsafeRawBufferPointer) -> Bool {
        name.count >= 7 && memcmp(name.baseAddress!, "systemd", 7) == 0
    }

    private static let byFirstByte: [[Entry]] = {
        var lists: [[Entry]] = Array(repeating: [], count: 128)
        for entry in kernel + fileSystems + starts + otherSystems + firmware {
            lists[Int(entry.text.utf8Start[0])].append(entry)
        }
        return lists
    }()

    // MARK: - Linux

    private static let kernel: [Entry] = [
        ("Kernel panic - ", .emergency), ("Kernel panic: ", .emergency), ("---[ end Kernel panic", .emergency),
        ("BUG: ", .alert), ("kernel BUG at ", .alert), ("Oops: ", .alert), ("Oops[#", .alert),
        ("watchdog: BUG: ", .emergency), ("NMI watchdog: BUG: ", .emergency), ("NMI watchdog: Watchdog ", .emergency),
        ("watchdog: Watchdog detected hard LOCKUP", .emergency),
        ("Internal error: ", .emergency), ("Unable to handle kernel", .alert), ("general protection fault", .alert),
        ("stack segment: ", .alert), ("divide error: ", .alert), ("invalid opcode: ", .alert),
        ("double fault: ", .alert), ("PANIC: double fault", .emergency), ("KASAN: ", .alert), ("UBSAN: ", .error),
        ("list_add corruption", .alert), ("list_del corruption", .alert),
        ("WARNING: ", .warning), ("Call Trace:", .warning), ("Call trace:", .warning),
        ("INFO: rcu_", .error), ("rcu: INFO: rcu_", .error), ("INFO: possible circular locking", .warning),
        ("INFO: possible recursive locking", .warning), ("INFO: possible irq lock inversion", .warning),
        ("INFO: possible reason: unannotated irqs", .warning), ("INFO: suspicious RCU usage", .warning),
        ("INFO: inconsistent lock", .warning),
        ("Out of memory: ", .error), ("Out of memory and no killable processes", .emergency),
        ("Memory cgroup out of memory: ", .error), ("Memory failure: ", .error),
        ("mce: [Hardware Error]: ", .emergency), ("[Hardware Error]: ", .error), ("[Firmware Bug]: ", .warning),
        ("[Firmware Warn]: ", .warning), ("ACPI Error", .error), ("ACPI BIOS Error", .error),
        ("ACPI Exception: ", .error), ("ACPI Warning", .warning), ("ACPI BIOS Warning", .warning),
        ("VFS: Cannot open root device", .error), ("Failed to execute /init", .error),
        ("No working init found", .error),
        ("I/O error, dev ", .error), ("Buffer I/O error on dev", .error), ("critical medium error, dev ", .error),
        ("critical target error, dev ", .error), ("blk_update_request: ", .error), ("print_req_error: ", .error),
        ("end_request: ", .error), ("SError Interrupt on CPU", .critical), ("You are in emergency mode", .error),
        ("Cannot open access to console", .error), ("unregister_netdevice: waiting for ", .emergency),
    ]

    private static let fileSystems: [Entry] = [
        ("EXT4-fs error ", .critical), ("EXT4-fs warning ", .warning), ("EXT3-fs error ", .critical),
        ("EXT3-fs warning ", .warning), ("EXT2-fs error ", .critical), ("EXT2-fs warning ", .warning),
        ("JBD2: Error ", .error), ("JBD2: I/O error", .error), ("Aborting journal on device ", .error),
        ("BTRFS emergency ", .emergency), ("BTRFS alert ", .alert), ("BTRFS critical ", .critical),
        ("BTRFS error ", .error), ("BTRFS warning ", .warning), ("BTRFS notice ", .notice),
        ("BTRFS info ", .informational), ("BTRFS: error ", .critical), ("BTRFS: open_ctree failed", .error),
        ("SQUASHFS error: ", .error), ("ISOFS: Unable to ", .error),
    ]

    /// In a kernel's line, wherever they are: a device or a process is named before them.
    private static let anywhere: [Entry] = [
        (": Corruption ", .alert), (": Metadata corruption detected", .alert), (": Internal error ", .alert),
        (": Filesystem has been shut down", .alert), (": xfs_do_force_shutdown", .alert), ("og I/O error", .alert),
        ("etadata I/O ", .alert), ("Remounting filesystem read-only", .critical), ("Disk failure on ", .critical),
        ("I/O error", .error), ("[Hardware Error]", .error), (" kthread starved for ", .error),
        ("blocked for more than ", .error), ("device descriptor read/", .error), (": failed command: ", .error),
        (": exception Emask ", .error), (": Remote I/O error", .error), ("unable to read superblock", .error),
        (" UE memory ", .error), (": UE page ", .error), (" UE on ", .error),
        (" invoked oom-killer: ", .warning), (": page allocation failure: ", .warning), ("NETDEV WATCHDOG: ", .warning),
        (" as unstable because the skew is too large", .warning), (" timeout, aborting", .warning),
        (" timeout, reset controller", .warning), ("controller is down; will reset", .warning),
        ("Direct firmware load for ", .warning), ("ailed to load firmware", .error),
        ("firmware: failed to load ", .error),
        // Of a process that a signal ends; without init the kernel panics.
        ("[1]: segfault at ", .emergency), ("[1] general protection fault", .emergency),
        (" segfault at ", .informational),
        (" general protection fault ip:", .informational), (" general protection ip:", .informational),
    ]

    // MARK: - Services

    /// Of what starts a system: initramfs-tools, fsck (behind the device), systemd.
    private static let starts: [Entry] = [
        ("ALERT! ", .alert), ("Gave up waiting for root ", .error), ("UNEXPECTED INCONSISTENCY; RUN fsck", .error),
        ("[!!!!!!]", .emergency),
    ]

    /// Of systemd and its daemons, after their name.
    private static let systemd: [Entry] = [
        ("Failed to start ", .error), ("Failed to mount ", .error), ("Failed to listen on ", .error),
        ("Dependency failed for ", .warning), ("Timed out ", .error), ("Freezing execution", .emergency),
        ("Caught <", .emergency), ("Failed to execute ", .error), ("Failed at step ", .error),
    ]

    // MARK: - Other systems and firmware

    private static let otherSystems: [Entry] = [
        ("panic: ", .emergency), ("panic[cpu", .emergency), ("Fatal trap ", .emergency),
        ("Fatal double fault", .emergency),
        ("fatal page fault in supervisor mode", .emergency), ("page fault trap, code=", .alert),
        ("uvm_fault(", .alert),
        ("g_vfs_done():", .error), ("swap_pager: out of swap space", .error), ("swap_pager_getswapspace", .error),
        ("*** STOP: 0x", .emergency), ("STOP: c0000", .emergency), ("Panic on CPU ", .emergency),
    ]

    private static let firmware: [Entry] = [
        ("### ERROR ###", .emergency), ("*** Warning - bad CRC", .warning), ("** Unable to read ", .error),
        ("** File not found ", .error), ("Wrong Image Format", .error), ("Bad Linux ARM64 Image magic!", .error),
        ("No bootable device", .error), ("Boot failed: ", .error), ("BdsDxe: failed to ", .error),
        ("\"Synchronous Abort\" handler", .emergency), ("\"Error\" handler", .emergency),
        ("BdsDxe: No bootable option", .error), ("!!!! X64 Exception", .emergency), ("ASSERT_EFI_ERROR", .error),
    ]
}
