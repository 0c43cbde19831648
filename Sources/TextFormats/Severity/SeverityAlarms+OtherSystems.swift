// SPDX-License-Identifier: Apache-2.0

import LogModel

extension SeverityAlarms {
    /// The BSDs and illumos, whose messages have no time stamps.
    static let unixes: AlarmFormats = [
        .emergency: [
            "panic: ", "panic[cpu", "Fatal trap ", "Fatal double fault", "Fatal data abort:",
            "fatal %s in supervisor mode",
            "kernel trap %d with interrupts disabled", "KDB: enter: panic", "Stopped at      %s+0x",
        ],
        .alert: ["page fault trap, code=", "protection fault trap, code=", "uvm_fault(", "fault virtual address"],
        .informational: ["SUNW-MSG-ID: %s TYPE: Repair", "SUNW-MSG-ID: %s TYPE: Resolved"],
        .critical: ["SUNW-MSG-ID: %s SEVERITY: Critical"],
        .error: [
            // FreeBSD. A drive without a medium prints the same of `cd0`.
            "g_vfs_done():", "swap_pager: out of swap space", "swap_pager_getswapspace", "swap_pager: I/O error - ",
            "(da%d:%s: CAM status: ", "(ada%d:%s: CAM status: ", "(nda%d:%s: CAM status: ", "pid %d (%s was killed: ",
            "Mounting from %s failed with error %d", "Automatic file system check failed; help!",
            "nvme%d: Resetting controller due to a timeout", "vtnet%d: watchdog timeout", "em0: Watchdog timeout",
            "em1: Watchdog timeout",
            "CANNOT WRITE: BLK", "CANNOT READ: BLK", "CANNOT SEEK: BLK",
            "UNEXPECTED SOFT UPDATE INCONSISTENCY; RUN fsck",
            // OpenBSD and NetBSD.
            "wd0%s: error reading ", "wd0%s: error writing ", "wd1%s: error reading ", "wd1%s: error writing ",
            // illumos.
            "SUNW-MSG-ID: %s TYPE: Fault", "Requesting System Maintenance Mode",
        ],
    ]

    static let windows: AlarmFormats = [
        .emergency: [
            "*** STOP: 0x", "STOP: c0000", "<INSTANCE CLASSNAME=\"BLUESCREEN\">",
            "A problem has been detected and Windows has been shut down", "Your PC ran into a problem",
            "Your device ran into a problem",
        ],
        .error: [
            "Windows failed to start", "Windows could not start because",
            "Windows Boot Manager has experienced a problem",
            "Status: 0xc0", "    Status: 0xc0", "BOOTMGR is ", "NTLDR is missing",
        ],
    ]

    /// Xen behind its name, KVM, and QEMU, which reports errors behind its own.
    static let hypervisors: AlarmFormats = [
        .emergency: [
            "Panic on CPU ", "Xen BUG at ", "FATAL TRAP: ", "FATAL PAGE FAULT", "Hardware Dom0 crashed",
            "KVM internal error.", "KVM: entry failed, hardware error",
        ],
        .critical: ["Triple fault - ", "Domain %d (vcpu#%d) crashed on cpu"],
        .notice: ["qemu-system-%s: terminating on signal"],
        .warning: ["qemu-system-%s: warning: "],
        .informational: ["qemu-system-%s: info: "],
        .error: ["Unhandled page fault fault/trap", "domain_crash called from ", "qemu-system-%s: "],
    ]
}
