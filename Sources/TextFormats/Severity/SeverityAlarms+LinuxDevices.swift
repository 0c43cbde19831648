// SPDX-License-Identifier: Apache-2.0

import LogModel

extension SeverityAlarms {
    /// Of Linux's drivers, anywhere in a message: the device is named before them.
    static let linuxDeviceParts: AlarmFormats = [
        // Less grave than the words that follow below.
        .warning: [
            "PCIe Bus Error: severity=Correct", "AER: Correct", "AER: Multiple Correct", " CE memory ", ": CE page ",
        ],
        .critical: ["Disk failure on ", "NETDEV WATCHDOG: CPU: ", "NVRM: %s fallen off the bus"],
        .error: [
            // Block devices: `blk_errors` in block/blk-core.c.
            " error, dev ", "I/O error, ", "I/O error in ", "I/O error on ", "I/O error while ", "I/O error when ",
            "I/O error reading", "I/O error writing", "I/O error %d", "I/O error: ", "I/O error (", "I/O error%$",
            // SCSI and ATA.
            "FAILED Result: hostbyte=", "Sense Key : Medium Error", "Sense Key : Hardware Error",
            "Unrecovered read error",
            ": rejecting I/O to ", ": Device offlined - ", ": failed command: ", ": exception Emask ", ": SError: {",
            "COMRESET failed", "softreset failed", "SRST failed", "revalidation failed", "failed to IDENTIFY",
            " (err_mask=0x",
            // NVMe and MMC.
            ": Device not ready; aborting", "Removing after probe failure", " @ LBA %d, %d blocks, ",
            ": Timeout waiting for hardware interrupt",
            // MD and device-mapper.
            ": not enough operational devices", ": cannot start dirty degraded array", "device-mapper: table: ",
            "device-mapper: ioctl: error ", ": switching pool to out-of-data-space", ": switching pool to read-only",
            ": switching pool to failure", ": Device lookup failed",
            // Buses: USB, PCI, IOMMUs, memory.
            ": device descriptor read/", ": unable to enumerate USB device", ": device not accepting address ",
            ": HC died; cleaning up", ": over-current condition", ": config failed, ",
            ": Cannot enable. Maybe the USB cable",
            "PCIe Bus Error: severity=Uncorrect", "AER: Uncorrect", "AER: Multiple Uncorrect",
            ": device recovery failed",
            "DMAR: DRHD: handling fault status", "DMAR: [DMA ", "DMAR:[DMA ", "DMAR: [INTR-REMAP]",
            ": Event logged [", ": Completion-Wait loop timed out", "Unhandled context fault",
            " UE memory ", ": UE page ", " UE on ",
            // Networks and graphics.
            "Detected Tx Unit Hang", "Detected Hardware Unit Hang", ": Adapter removed", ": ring %s timeout, signaled",
            "NVRM: Xid (", "RmInitAdapter failed",
        ],
        .warning: [
            "NETDEV WATCHDOG: ", " timeout, aborting", " timeout, reset controller", "controller is down; will reset",
            ": qc timeout (cmd", ": link is slow to respond", ": reached low water mark",
        ],
    ]

    /// Of Linux's file systems.
    static let linuxFileSystems: AlarmFormats = [
        .emergency: ["BTRFS emergency "],
        .alert: ["BTRFS alert "],
        .critical: [
            "EXT4-fs error ", "EXT3-fs error ", "EXT2-fs error ", "BTRFS critical ", "BTRFS: error ",
            "EXT4-fs (%s): Delayed block allocation failed", "EXT4-fs (%s): This should not happen!! Data will be lost",
        ],
        .error: [
            "Aborting journal on device ", "JBD2: Error ", "JBD2: I/O error", "JBD2: IO error",
            "JBD2: Detected IO errors",
            "JBD2: recovery failed",
            "BTRFS error ", "BTRFS: open_ctree failed", "BTRFS: Transaction aborted",
            "FAT-fs (%s): error, ", "FAT-fs (%s): Filesystem has been set read-only", "FAT-fs (%s): bogus ",
            "F2FS-fs (%s): Can't find valid F2FS filesystem", "F2FS-fs (%s): Failed to ",
            "UBIFS error ", "UBI error", "ubi%d error", "SQUASHFS error: ", "ISOFS: Unable to ", "CIFS: VFS: Error ",
        ],
        .warning: [
            "EXT4-fs warning ", "EXT3-fs warning ", "EXT2-fs warning ", "EXT4-fs (%s): warning: ", "BTRFS warning ",
            "FAT-fs (%s): Volume was not properly unmounted", "UBIFS warning ", "UBI warning", "ubi%d warning",
        ],
        .notice: ["BTRFS notice "],
        .informational: ["BTRFS info "],
    ]

    static let linuxFileSystemParts: AlarmFormats = [
        .alert: [
            // XFS.
            ": Corruption ", ": Metadata corruption detected", ": Metadata CRC error detected", ": Internal error ",
            ": Filesystem has been shut down", ": xfs_do_force_shutdown", ": User initiated shutdown received",
            "Unmount and run xfs_repair", "og I/O error", "og I/O Error", "etadata I/O ",
        ],
        .critical: ["Remounting filesystem read-only"],
        .error: [
            "unable to read superblock", ": VFS: Can't find ", ": bad geometry: ", ": error loading journal",
            ": no journal found", "unsupported optional features", ": log mount failed", ": log mount/recovery failed",
            ": Mount failed",
        ],
        .warning: [": possible memory allocation deadlock"],
    ]
}
