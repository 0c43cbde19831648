// SPDX-License-Identifier: Apache-2.0

import LogModel

extension SeverityAlarms {
    /// The last words of programs, of the runtimes of their languages.
    static let programs: AlarmFormats = [
        .critical: ["fatal error: ", "PHP Fatal error: "],
        .error: [
            "Traceback (most recent call last):", "thread '%s panicked at ", "Exception in thread \"",
            "terminate called ", "Unhandled exception", "goroutine %d [running]:", "Segmentation fault",
            "Aborted (core dumped)", "Bus error", "Illegal instruction (core dumped)", "=ERROR REPORT====",
            "=CRASH REPORT====", "(EE) ",
        ],
        .warning: ["(WW) "],
    ]

    /// Of what starts a system: initramfs-tools, fsck (behind the device), systemd.
    static let services: AlarmFormats = [
        .emergency: ["[!!!!!!]"],
        .alert: ["ALERT! "],
        .error: [
            "Gave up waiting for root ", "UNEXPECTED INCONSISTENCY; RUN fsck", "You are in emergency mode",
            "Cannot open access to console",
        ],
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
