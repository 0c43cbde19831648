// SPDX-License-Identifier: Apache-2.0

import LogModel

extension SeverityAlarms {
    /// The last words of programs, of the runtimes of their languages.
    static let programs: AlarmFormats = [
        .critical: ["fatal error: ", "PHP Fatal error: "],
        .error: [
            "Traceback (most recent call last):", "thread '%s panicked at ", "Exception in thread \"",
            "terminate called ", "Unhandled exception. ", "goroutine %d [running]:", "Segmentation fault",
            "Aborted (core dumped)", "Bus error", "Illegal instruction (core dumped)", "=ERROR REPORT====",
            "=CRASH REPORT====", "(EE) ",
        ],
        .warning: ["(WW) "],
    ]

    /// Of what starts a system: initramfs-tools, dracut, fsck (behind the device), LVM, init, systemd, SMF.
    static let services: AlarmFormats = [
        .emergency: ["[!!!!!!]"],
        .alert: ["ALERT! "],
        .error: [
            "Gave up waiting for root ", "Target filesystem doesn't have requested ",
            "No init found. Try passing init=",
            "run-init: ", "Rebooting automatically due to panic= boot argument", "dracut: Refusing to continue",
            "dracut Warning: Could not boot", "Refusing to continue",
            "mounting %s failed: ", "mount: %s: wrong fs type", "mount: %s: can't read superblock",
            "mount: %s: unknown filesystem type", "mount: %s: special device %s does not exist",
            "UNEXPECTED INCONSISTENCY; RUN fsck", "fsck exited with status code ",
            "*** An error occurred during the file system check", "Volume group \"%s\" not found",
            "  Volume group \"%s\" not found", "Cannot process volume group ", "  Cannot process volume group ",
            "failed to start array ", "INIT: Id \"%s\" respawning too fast", "INIT: No inittab file found",
            "Starting %s: FAIL%$", "[....] %s failed!",
            "You are in emergency mode", "Welcome to emergency mode", "Entering emergency mode",
            "Give root password for maintenance", "Cannot open access to console", "Job for %s failed",
            "A dependency job for %s failed", "svc:/%s: Method \"%s\" failed",
        ],
        .warning: ["dracut Warning: "],
    ]

    /// Of systemd and its daemons, after their name.
    static let systemd: AlarmFormats = [
        .emergency: ["Freezing execution", "Caught <", "Failed to load SELinux policy"],
        .critical: ["Process %d (%s) of user %d dumped core"],
        .error: [
            "Failed to start ", "Failed to mount ", "Failed to listen on ", "Failed to execute ", "Failed at step ",
            "Failed to allocate manager ", "Failed to create unit file", "Failed to activate swap ",
            "Failed to set up ",
            "Failed to switch root", "Failed to fork", "Timed out ", "Cannot determine cgroup we are running in",
        ],
        .warning: ["Dependency failed for ", "File %s corrupted or uncleanly shut down"],
    ]

    /// Of systemd, behind a unit's name or another reason.
    static let systemdAnywhere: AlarmFormats = [
        .emergency: [", freezing.", ". Freezing."],
        .error: [": Failed at step "],
        .warning: [
            ": Failed with result '", ": Start request repeated too quickly", ": Main process exited, code=killed",
            ": Main process exited, code=dumped", ": A process of this unit has been killed by the OOM killer",
        ],
    ]
}
