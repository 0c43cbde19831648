// SPDX-License-Identifier: Apache-2.0

import LogModel

extension SeverityAlarms {
    static let firmware: AlarmFormats = [
        .emergency: [
            // EDK2 and Trusted Firmware-A.
            "!!!! %s Exception Type", "Synchronous Exception at 0x", "PANIC at PC : ", "PANIC in EL3",
            "Unhandled Exception in EL3",
        ],
        .error: [
            // EDK2 and shim.
            "BdsDxe: failed to ", "BdsDxe: No bootable option", "Boot Failed. ", "ASSERT_EFI_ERROR", "ASSERT [",
            "Verification failed: ", "Something has gone seriously wrong: ",
            // A PC's BIOS and the first sectors of its disks.
            "No bootable device", "No bootable medium found", "Boot failed: ", "Operating system not found",
            "OPERATING SYSTEM NOT FOUND", "Operating System Not Found", "An operating system wasn't found",
            "Missing operating system", "Missing Operating System", "Non-System disk or disk error",
            "Non-system disk or disk error", "Invalid partition table", "Error loading operating system",
            "DISK BOOT FAILURE", "Reboot and Select proper Boot device",
            // The network.
            "PXE-E%d: ", "No more network devices", "Could not boot: ", "Could not boot image: ",
            // OpenSBI.
            "init_coldboot: %s failed (error -%d", "sbi_trap_error: ",
        ],
    ]

    static let loaders: AlarmFormats = [
        .emergency: [
            // U-Boot on Arm and RISC-V.
            "### ERROR ###", "\"Synchronous Abort\" handler", "\"Error\" handler", "data abort%$", "prefetch abort%$",
            "undefined instruction%$", "Unhandled exception: ",
        ],
        .error: [
            // U-Boot.
            "** Unable to read ", "** File not found ", "** Invalid partition ", "** No partition table",
            "** No valid partitions found", "** Bad device ", "** Unrecognized filesystem type", "** Can't read ",
            "Wrong Image Format", "Wrong Image Type", "Wrong Ramdisk Image Format", "Bad Linux %s Image magic!",
            "Card did not respond to voltage select!", "initcall failed at ", "initcall sequence %s failed at ",
            "SPL: failed to boot from all boot devices", "TFTP error: ",
            // GRUB.
            "grub rescue>", "Entering rescue mode...",
        ],
        .warning: ["*** Warning - "],
    ]
}
