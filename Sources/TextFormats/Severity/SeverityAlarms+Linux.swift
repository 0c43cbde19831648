// SPDX-License-Identifier: Apache-2.0

import LogModel

// Linux's messages, at the levels of its sources. Where they differ between versions, the graver one counts.

extension SeverityAlarms {
    /// With which messages begin, also on consoles without time stamps.
    static let linux: AlarmFormats = [
        // Less grave than the words that follow below.
        .informational: [
            "mce: [Hardware Error]: Machine check events logged",
            "BERT: [Hardware Error]: Skipped ",
            "Command line: ", "watchdog: Delayed init of the lockup detector failed",
        ],
        .notice: ["Kernel command line: ", "Unknown kernel command line parameters "],
        .warning: [
            "[Hardware Error]: Corrected error", "[Hardware Error]: It has been corrected",
            "[Hardware Error]: event severity: corrected", "mce: [Hardware Error]: Corrected error",
        ],
        .emergency: [
            // panic() and lockups.
            "Kernel panic - ", "Kernel panic: ", "---[ end Kernel panic",
            "watchdog: BUG: ", "NMI watchdog: BUG: ", "NMI watchdog: Watchdog ",
            "watchdog: Watchdog detected hard LOCKUP",
            "watchdog: CPU%d: Watchdog detected hard LOCKUP", "Watchdog CPU:%d Hard LOCKUP",
            "Watchdog CPU:%d detected Hard LOCKUP", "BUG: soft lockup", "BUG: workqueue lockup",
            // die() and traps.
            "Internal error: ", "PANIC: double fault", "kernel stack overflow (", "Kernel stack overflow in process ",
            "Insufficient stack space to handle exception!", "Fixing recursive fault but reboot is needed!",
            "usercopy: Kernel memory ", "Uhhuh. NMI received ", "Dazed and confused, but trying to continue",
            "NMI: IOCK error ", "NMI: PCI system error ", "Disabling IRQ #",
            "mce: [Hardware Error]: ", "mce: CPU%d: Machine Check Exception",
            "Out of memory and no killable processes", "unregister_netdevice: waiting for ",
            "Initramfs unpacking failed: ",
        ],
        .alert: [
            "BUG: ", "kernel BUG at ", "Kernel BUG ", "Kernel bug detected[#", "Oops: ", "Oops - ", "Oops[#", "#PF: ",
            "8<--- cut here ---",
            "Unable to handle kernel", "CPU %d Unable to handle kernel", "Unhandled fault: ", "Unhandled fault at ",
            "Unhandled prefetch abort: ", "Kernel access of bad area", "Reserved instruction in kernel code",
            "general protection fault", "stack segment: ", "divide error: ", "invalid opcode: ", "double fault: ",
            "KASAN: ", "list_add corruption", "list_del corruption", "Bad page state in process ",
            "page dumped because: ",
        ],
        .critical: [
            "SError Interrupt on CPU", "Bad mode in ", "Kernel attempted to ", "kernel tried to execute ",
            "CPU%d: failed to come online",
        ],
        .error: [
            "BUG %s (Not tainted): ", "BUG %s (Tainted: ", "Slab corruption ", "UBSAN: ",
            "refcount_t: %suse-after-free",
            "INFO: rcu_", "rcu: INFO: rcu_", "INFO: task %s blocked for more than ",
            "INFO: task %s blocked in I/O wait for more than ", "INFO: task %s can't die for more than ",
            "Out of memory: ", "Out of memory (", "Memory cgroup out of memory: ", "Killed process %d (",
            "Memory failure: ",
            "[Hardware Error]: ", "ACPI Error", "ACPI BIOS Error", "ACPI Exception: ",
            "PCI: Fatal: No config space access function found", "PM: Some devices failed to suspend",
            "VFS: Cannot open root device", "VFS: Unable to mount root fs",
            "Please append a correct \"root=\" boot option",
            "Warning: unable to open an initial console", "Failed to execute /", "Starting init: /%s couldn't execute",
            "No working init found", "request_module: runaway loop modprobe ",
            "I/O error, dev ", "Buffer I/O error on dev", "critical medium error, dev ", "critical target error, dev ",
            "audit: kauditd hold queue overflow",
        ],
        .warning: [
            "WARNING: ", "------------[ cut here ]------------", "Call Trace:", "Call trace:", "refcount_t: ",
            "INFO: possible circular locking", "INFO: possible recursive locking", "INFO: possible irq lock inversion",
            "INFO: possible reason: unannotated irqs", "INFO: suspicious RCU usage", "INFO: inconsistent lock",
            "[Firmware Bug]: ", "[Firmware Warn]: ", "ACPI Warning", "ACPI BIOS Warning",
            "audit: backlog limit exceeded", "audit: audit_lost=", "sched: RT throttling activated",
            "Spurious LAPIC timer interrupt", "unchecked MSR access error: ",
            "Disabling lock debugging due to kernel taint",
        ],
    ]

    /// Of a process that a signal ends; without init the kernel panics.
    static let linuxSignals: AlarmFormats = [
        .emergency: ["[1]: segfault at ", "[1] general protection fault"],
        .informational: [
            " segfault at ", " general protection fault ip:", " general protection ip:",
        ],
    ]

    /// Idioms of all parts of the kernel, anywhere in a message.
    static let linuxParts: AlarmFormats = [
        // Less grave than the words that follow below.
        .warning: [
            "Direct firmware load for ", "probe of %s failed with error -%d", "failed to read out thermal zone",
            " not responding, still trying", " not responding, timed out", "[Hardware Error]: Corrected error",
            "[Hardware Error]: It has been corrected", "[Hardware Error]: event severity: corrected",
        ],
        // die(), on each architecture.
        .alert: [" [#%d]", "d[#%d]", "e[#%d]", "Unable to handle kernel "],
        .emergency: ["No irq handler for vector", " hard LOCKUP", " Hard LOCKUP"],
        .critical: [" exploit attempt?", ": failed to come online"],
        .error: [
            // Of all drivers: the number of an error, or the word as a mark.
            " error -%d", " error -E", "(error -%d", "=error -%d", "(errno=-%d", "(err -%d", ", err -%d", ", err=-%d",
            "*ERROR*",
            " ERROR:",
            " error: ",
            "use-after-free", " corrupted", "potential data loss", " not responding", "nobody cared (try booting",
            " kthread starved for ", "self-detected stall on CPU", "detected stalls on CPUs/tasks",
            " GPs behind) idle=",
            " blocked for more than ",
            " blocked in I/O wait for more than ", " can't die for more than ", "Bad swap file entry ",
            "Bad swap offset entry ",
            ": Unknown symbol ", " disagrees about version of symbol ", ": version magic '",
            "Loading of %s is rejected",
            "ailed to load firmware", "firmware: failed to load ", "ailed to report alive state", "do_boot_cpu failed(",
            "A TPM error (", "[Hardware Error]",
        ],
        .warning: [
            " invoked oom-killer: ", ": page allocation failure: ", ": page allocation stalls for ",
            " as unstable because the skew is too large", "loading out-of-tree module taints kernel",
            " temperature above threshold", " CPU bug present and SMT on", "hogged CPU for >",
            "nf_conntrack: table full", ": Possible SYN flooding on port ", ": neighbor table overflow!",
            ": neighbour table overflow",
        ],
    ]
}
