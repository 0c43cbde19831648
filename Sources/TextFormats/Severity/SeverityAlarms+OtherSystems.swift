// SPDX-License-Identifier: Apache-2.0

import LogModel

extension SeverityAlarms {
    /// The BSDs, illumos, Windows and Xen.
    static let otherSystems: AlarmFormats = [
        .emergency: [
            "panic: ", "panic[cpu", "Fatal trap ", "Fatal double fault", "fatal page fault in supervisor mode",
            "*** STOP: 0x", "STOP: c0000", "Panic on CPU ",
        ],
        .alert: ["page fault trap, code=", "uvm_fault("],
        .error: ["g_vfs_done():", "swap_pager: out of swap space", "swap_pager_getswapspace"],
    ]

    /// Firmware and boot loaders.
    static let firmware: AlarmFormats = [
        .emergency: [
            "### ERROR ###", "\"Synchronous Abort\" handler", "\"Error\" handler", "!!!! X64 Exception",
        ],
        .error: [
            "** Unable to read ", "** File not found ", "Wrong Image Format", "Bad Linux ARM64 Image magic!",
            "No bootable device", "Boot failed: ", "BdsDxe: failed to ", "BdsDxe: No bootable option",
            "ASSERT_EFI_ERROR",
        ],
        .warning: ["*** Warning - bad CRC"],
    ]
}
